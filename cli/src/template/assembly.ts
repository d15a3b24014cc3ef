import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entriesOf, knownText, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'
import { isObject, parseObject } from '../shared/json.ts'
import { readText } from '../shared/text-file.ts'
import { mapAt, nodesIn, parseDocument } from './document.ts'
import type { Template } from './read-template.ts'
import type { Links, Stack } from './scope.ts'

interface CdkStack extends Stack {
  file: string
  imports: readonly string[]
  parent: { stack: CdkStack; id: string; parameters: Tree } | undefined
}

export interface AssemblyTemplate {
  file: string
  template?: Template
  error?: unknown
}

interface Artifact {
  type?: string
  properties?: { templateFile?: string; directoryName?: string }
}

function textAt(root: Tree, ...path: readonly string[]): string | undefined {
  return knownText(mapAt(root, ...path))
}

/** The name of a stack in the ids of its resources, if another stack uses them. */
export function stackKey(templateFile: string): string {
  return templateFile.replace(/.*[/\\]/, '').replace(/(\.nested)?\.template\.json$/, '')
}

/**
 * The templates of the stacks in a manifest, and in those of stages in folders below, without nested stacks. Undefined
 * if the folder is not one of `cdk synth`.
 */
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
function nestedTemplate(resource: Tree, file: string): string | undefined {
  const path = textAt(resource, 'Metadata', 'aws:asset:path')
  const isNested = textAt(resource, 'Type') === 'AWS::CloudFormation::Stack'
  return isNested && path !== undefined ? join(dirname(file), path) : undefined
}

/** The template that `--template` names: this file, or the only stack in the output folder of the CDK. */
export function templateAt(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  const [first, ...more] = (existsSync(join(path, 'manifest.json')) && stackFilesIn(path)) || []
  if (first === undefined)
    throw new UsageError(`${path} is a folder, but not the output of "cdk synth". Name a template`)
  if (more.length === 0) return first
  const some = [first, ...more].slice(0, 5).join(', ')
  throw new UsageError(`${path} has ${more.length + 1} stacks. Name the template of one of them, such as ${some}`)
}

/**
 * Reads all stacks of a CDK app. Each stack is linked with those whose exports or outputs it uses, and a nested stack
 * with the stack that contains it. Undefined if the folder is not the output of the CDK.
 */
export function readAssembly(folder: string): AssemblyTemplate[] | undefined {
  const files = stackFilesIn(folder)
  if (!files) return undefined
  const stacks: CdkStack[] = []
  const failed: AssemblyTemplate[] = []
  function add(file: string, parent?: CdkStack['parent']): void {
    if (stacks.some((stack) => stack.file === file)) return
    try {
      // Not parseTemplate(), because the CDK also writes stacks without resources.
      const document = parseDocument(file, readText(file), true)
      const stack: CdkStack = { file, document, imports: importsIn(document), parent }
      stacks.push(stack)
      for (const [id, resource] of entriesOf(mapAt(document, 'Resources'))) {
        const nested = nestedTemplate(resource, file)
        if (nested !== undefined) add(nested, { stack, id, parameters: mapAt(resource, 'Properties', 'Parameters') })
      }
    } catch (error) {
      failed.push({ file, error })
    }
  }
  for (const file of files) add(file)
  const exports = exportsOf(stacks)
  const read = stacks.map((own): AssemblyTemplate => {
    const { file, document } = own
    return { file, template: { file, document, syntax: 'json', links: linksOf(own, stacks, exports) } }
  })
  return [...read, ...failed]
}

type Exports = ReadonlyMap<string, { stack: CdkStack; value: Tree }>

function exportsOf(stacks: readonly CdkStack[]): Exports {
  const exports = new Map<string, { stack: CdkStack; value: Tree }>()
  for (const stack of stacks) {
    for (const [, output] of entriesOf(mapAt(stack.document, 'Outputs'))) {
      const [name, value] = [textAt(output, 'Export', 'Name'), mapAt(output, 'Value')]
      if (name !== undefined && value.state !== 'absent') exports.set(name, { stack, value })
    }
  }
  return exports
}

function importsIn(document: Tree): string[] {
  return Array.from(nodesIn(document)).flatMap((node) => textAt(node, 'Fn::ImportValue') ?? [])
}

function linksOf(own: CdkStack, stacks: readonly CdkStack[], exports: Exports): Links {
  const needed = new Set([own, ...own.imports.flatMap((name) => exports.get(name)?.stack ?? [])])
  // These may read the same queues.
  for (const other of stacks) if (other.imports.some((name) => own.imports.includes(name))) needed.add(other)
  for (let around = own.parent; around; around = around.stack.parent) needed.add(around.stack)
  // Stacks that these need in turn are not linked, so that the work grows with the number of links.
  for (const nested of stacks.filter(({ parent }) => parent && needed.has(parent.stack))) needed.add(nested)
  return {
    stacks: Array.from(needed, ({ file, document, parent }) => ({
      file,
      document,
      prefix: file === own.file ? '' : `${stackKey(file)}/`,
      parent: parent && needed.has(parent.stack) ? parent : undefined,
    })),
    exports: new Map(Array.from(exports).filter(([, { stack }]) => needed.has(stack))),
  }
}
