import { absent, type Origin, type Position, type Scalar, type Setting, unknown } from './setting.ts'

/** The ids of the resources that a value refers to, each with the attribute, as far as the input shows it. */
export interface References {
  to: readonly { id: string; attribute?: string | undefined }[]
  /** What the input does not show, so that the value may be that of another resource. */
  unresolved: readonly string[]
}

/** A value with all that is below it. Readers make it from templates, from plans and from responses. */
export type Tree = (
  | Setting<Scalar>
  | ({ state: 'list'; items: readonly Tree[] } & Origin)
  /** `open` says why there may be other entries. */
  | ({ state: 'map'; entries: ReadonlyMap<string, Tree>; open?: { reason: string } | undefined } & Origin)
) & { refersTo?: References }

/** A map with more entries, which replace its own. Other values have no entries of their own. */
export function withEntries(tree: Tree, more: Readonly<Record<string, Tree>>): Tree & { state: 'map' } {
  const own = tree.state === 'map' ? tree.entries : []
  const entries = new Map([...own, ...Object.entries(more)])
  // A value that is not known may have entries that are not shown.
  const open = tree.state === 'unknown' ? { reason: tree.reason } : tree.state === 'map' ? tree.open : undefined
  return { state: 'map', entries, open, position: tree.position }
}

export type Path = readonly (string | number)[]

export function at(tree: Tree, ...[step, ...rest]: Path): Tree {
  if (step === undefined || tree.state === 'unknown' || tree.state === 'absent') return tree
  return at(childOf(tree, step), ...rest)
}

function childOf(tree: Tree, step: string | number): Tree {
  const { position } = tree
  if (typeof step === 'number') return (tree.state === 'list' && tree.items[step]) || absent
  if (tree.state !== 'map') {
    return unknown(`the value around it is a ${formOf(tree)}, but must be a map`, position)
  }
  const { entries, open, section } = tree
  const value = entries.get(step) ?? (open ? unknown(open.reason, position) : absent)
  return section === undefined ? value : { ...value, section }
}

export function formOf({ state }: Tree): string {
  return state === 'known' ? 'single value' : state
}

/** The text of a single value, with placeholders for unknown parts. Empty for other values. */
export function textIn(tree: Tree): string {
  if (tree.state === 'known') return String(tree.value)
  return (tree.state === 'unknown' && tree.text) || ''
}

export function knownValue(tree: Tree): Scalar | undefined {
  return tree.state === 'known' ? tree.value : undefined
}

export function knownText(tree: Tree): string | undefined {
  return knownValue(tree)?.toString()
}

export function itemsOf(tree: Tree): readonly Tree[] {
  return tree.state === 'list' ? tree.items : []
}

export function entriesOf(tree: Tree): [name: string, value: Tree][] {
  return tree.state === 'map' ? Array.from(tree.entries.keys(), (name) => [name, at(tree, name)]) : []
}

/** The values of a list, or a single value. */
export function each(tree: Tree): readonly Tree[] {
  return tree.state === 'list' ? tree.items : [tree]
}

/** The known texts of a list, or of a single value. */
export function textsOf(tree: Tree): string[] {
  return each(tree).flatMap((item) => knownText(item) ?? [])
}

/** A value of JSON. `null` is absent. */
export function toTree(value: unknown, toText: (text: string) => Tree, position?: Position): Tree {
  if (value === null || value === undefined) return absent
  if (typeof value === 'string') return toText(value)
  if (typeof value !== 'object') return { state: 'known', value: value as Scalar, position }
  if (Array.isArray(value)) {
    return { state: 'list', items: value.map((item) => toTree(item, toText, position)), position }
  }
  const entries = Object.entries(value).map(([key, child]): [string, Tree] => {
    return [key, toTree(child, toText, position && { ...position, key })]
  })
  return { state: 'map', entries: new Map(entries), position }
}
