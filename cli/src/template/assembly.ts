import { dirname, join } from 'node:path'
import { entriesOf, knownText, type Tree } from '../model/tree.ts'
import { isObject, parseObject } from '../shared/json.ts'
import { readText } from '../shared/text-file.ts'
import { mapAt, nodesIn, parseDocument } from './document.ts'
import type { Links, Stack, Template } from './scope.ts'

interface CdkStack extends Stack {
  file: string
  imports: readonly string[]
}

export interface AssemblyTemplate {
  file: string
  template?: Template
  error?: unknown
}

type Artifact = { type?: string; properties?: { templateFile?: string; directoryName?: string } }

function textAt(root: Tree, ...path: readonly string[]): string | undefined {
  return knownText(mapAt(root, ...path))
}

/** The name of a stack in the ids of its resources, if another stack uses them. */
export function stackKey(templateFile: string): string {
  return templateFile.replace(/.*[/\\]/, '').replace(/(\.nested)?\.template\.json$/, '')
}

/** The templates in a manifest and in those of its stages, without nested stacks. Undefined for other folders. */
function stackFilesIn(folder: string): string[] | undefined {
  const { artifacts } = parseObject(readText(join(folder, 'manifest.json'))) ?? {}
  if (!isObject(artifacts)) return undefined
  return (Object.values(artifacts).filter(isObject) as Artifact[]).flatMap(({ type, properties = {} }) => {
    const { templateFile, directoryName } = properties
    if (type === 'aws:cloudformation:stack' && templateFile) return join(folder, templateFile)
    if (type !== 'cdk:cloud-assembly' || !directoryName) return []
    return stackFilesIn(join(folder, directoryName)) ?? []
  })
}

/** The template of a nested stack. Its path is in the metadata if the CLI of the CDK ran the app. */
export function nestedTemplate(resource: Tree): string | undefined {
  const isNested = textAt(resource, 'Type') === 'AWS::CloudFormation::Stack'
  return isNested ? textAt(resource, 'Metadata', 'aws:asset:path') : undefined
}

/** Reads all stacks of a CDK app, linked with those whose exports they use. Undefined for other folders. */
export function readAssembly(folder: string): AssemblyTemplate[] | undefined {
  const files = stackFilesIn(folder)
  if (!files) return undefined
  const stacks: CdkStack[] = []
  const failed: AssemblyTemplate[] = []
  const all = new Set(files)
  for (const file of all) {
    try {
      // Not parseTemplate(), because the CDK also writes stacks without resources.
      const document = parseDocument(file, readText(file), true)
      const imports = nodesIn(document).flatMap((node) => textAt(node, 'Fn::ImportValue') ?? [])
      stacks.push({ file, document, imports })
      const nested = entriesOf(mapAt(document, 'Resources')).flatMap(([, resource]) => nestedTemplate(resource) ?? [])
      for (const path of nested) all.add(join(dirname(file), path))
    } catch (error) {
      failed.push({ file, error })
    }
  }
  const exports: Exports = new Map()
  for (const stack of stacks) {
    for (const [, output] of entriesOf(mapAt(stack.document, 'Outputs'))) {
      exports.set(String(textAt(output, 'Export', 'Name')), { stack, value: mapAt(output, 'Value') })
    }
  }
  const read = stacks.map((own): AssemblyTemplate => {
    const { file, document } = own
    return { file, template: { file, document, syntax: 'json', links: linksOf(own, stacks, exports) } }
  })
  return [...read, ...failed]
}

type Exports = Map<string, { stack: CdkStack; value: Tree }>

function linksOf(own: CdkStack, stacks: readonly CdkStack[], exports: Exports): Links {
  const needed = new Set([own, ...own.imports.flatMap((name) => exports.get(name)?.stack ?? [])])
  // These may read the same queues. Stacks that these need in turn are not linked, so that the work grows with the
  // number of links.
  for (const other of stacks) if (other.imports.some((name) => own.imports.includes(name))) needed.add(other)
  return {
    stacks: Array.from(needed, (stack) => ({ ...stack, prefix: stack === own ? '' : `${stackKey(stack.file)}/` })),
    exports: new Map(Array.from(exports).filter(([, { stack }]) => needed.has(stack))),
  }
}
