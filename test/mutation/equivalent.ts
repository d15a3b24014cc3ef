import { readFileSync } from 'node:fs'

// CI checks types without the packages of this folder, and tsc does not resolve a `string`.
const { parseSync, traverse, types } = await import('@babel/core' as string)

interface FunctionNode {
  readonly start: number
  readonly end: number
  /** The name of a private method. */
  readonly key?: { readonly id?: { readonly name: string } }
}

/** Reads equivalent.txt: how many mutants of each source file and key no test can detect. */
export function readEquivalent(): Map<string, Map<string, number>> {
  const list = new Map<string, Map<string, number>>()
  let mutants = new Map<string, number>()
  for (const line of readFileSync('test/mutation/equivalent.txt', 'utf8').split('\n')) {
    if (/^[^ #]/.test(line)) {
      mutants = new Map()
      list.set(line, mutants)
    }
    const [, count = 1, key] = /^ {2}(?:(\d+) × )?(\S.*)/.exec(line) ?? []
    if (key !== undefined) mutants.set(key, (mutants.get(key) ?? 0) + Number(count)) // a key can have two reasons
  }
  return list
}

/** Finds the name of the function around a position in the source, as equivalent.txt has it. */
export function functionFinder(source: string): (position: number) => string {
  const functions: { readonly name: string; readonly start: number; readonly end: number }[] = []
  traverse(parseSync(source, { configFile: false, parserOpts: { plugins: ['typescript'] } }), {
    Function({ node, parent }: { readonly node: FunctionNode; readonly parent: object }) {
      const name = types.getFunctionName(node, parent)?.name ?? node.key?.id?.name
      if (name !== undefined) functions.push({ name, start: node.start, end: node.end })
    },
  })
  return (position) => functions.findLast(({ start, end }) => start <= position && position < end)?.name ?? '(module)'
}
