import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entriesOf, knownText, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'
import { isObject, parseObject } from '../shared/json.ts'
import { readText } from '../shared/text-file.ts'
import { mapAt, nodesIn, parseDocument } from './document.ts'
import type { Template } from './read-template.ts'

/** A stack of a CDK app. `file` is its template. */
interface Stack {
  key: string
  file: string
  document: Tree
  /** The names that it imports. */
  imports: readonly string[]
  /** Of a nested stack: the stack that contains it, and the id and the parameters of its resource there. */
  parent: { stack: Stack; id: string; parameters: Tree } | undefined
}

/** Each template of an assembly, or the reason why it could not be read. */
export interface AssemblyTemplate {
  file: string
  template?: Template
  error?: unknown
}

type Artifact = { type?: string; properties?: { templateFile?: string; directoryName?: string; file?: string } }
/** The part of an asset manifest that is read. */
interface AssetFile {
  source?: { path?: string }
  destinations?: Record<string, { objectKey?: string }>
}

/** What the manifests of an app list. */
interface Manifest {
  /** The templates of all stacks, without nested stacks. */
  stacks: string[]
  /** The files of the assets, by their keys in the bucket. */
  assets: Map<string, string>
}

function textAt(root: Tree, ...path: readonly string[]): string | undefined {
  return knownText(mapAt(root, ...path))
}

/** The name of a stack in the ids of its resources, if another stack uses them. */
export function stackKey(templateFile: string): string {
  return templateFile.replace(/.*[/\\]/, '').replace(/(\.nested)?\.template\.json$/, '')
}

/** Undefined if `cdk synth` did not write the folder. */
function readManifest(folder: string): Manifest | undefined {
  const { artifacts } = parseObject(readText(join(folder, 'manifest.json'))) ?? {}
  if (!isObject(artifacts)) return undefined
  const manifest: Manifest = { stacks: [], assets: new Map() }
  for (const { type, properties = {} } of Object.values(artifacts).filter(isObject) as Artifact[]) {
    const { templateFile, directoryName, file } = properties
    if (type === 'aws:cloudformation:stack' && templateFile) manifest.stacks.push(join(folder, templateFile))
    if (type === 'cdk:asset-manifest' && file) addAssets(manifest.assets, folder, file)
    if (type !== 'cdk:cloud-assembly' || !directoryName) continue
    const nested = readManifest(join(folder, directoryName))
    if (!nested) continue
    manifest.stacks.push(...nested.stacks)
    for (const [key, asset] of nested.assets) manifest.assets.set(key, asset)
  }
  return manifest
}

function addAssets(assets: Manifest['assets'], folder: string, file: string): void {
  const { files = {} } = parseObject(readText(join(folder, file))) ?? {}
  for (const { source, destinations = {} } of Object.values(files as Record<string, AssetFile>)) {
    for (const { objectKey } of Object.values(destinations)) {
      if (source?.path && objectKey) assets.set(objectKey, join(folder, source.path))
    }
  }
}

/**
 * The template of a nested stack. Its path is in the metadata if the CLI of the CDK ran the app. Otherwise, the URL ends
 * with the key of an asset.
 */
function nestedTemplate(resource: Tree, file: string, assets: Manifest['assets']): string | undefined {
  if (textAt(resource, 'Type') !== 'AWS::CloudFormation::Stack') return undefined
  const path = textAt(resource, 'Metadata', 'aws:asset:path')
  if (path !== undefined) return join(dirname(file), path)
  const words = Array.from(nodesIn(mapAt(resource, 'Properties', 'TemplateURL')), (node) => String(knownText(node)))
  return words.map((word) => assets.get(word.replace(/.*\//, ''))).find((asset) => asset !== undefined)
}

/** The file of the template that `--template` names: this file, or the only stack in the output folder of the CDK. */
export function templateAt(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  const manifest = existsSync(join(path, 'manifest.json')) ? readManifest(path) : undefined
  const [first, ...more] = manifest?.stacks ?? []
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
  const manifest = readManifest(folder)
  if (!manifest) return undefined
  const { assets } = manifest
  const stacks: Stack[] = []
  const failed: AssemblyTemplate[] = []
  function add(file: string, parent?: Stack['parent']): void {
    if (stacks.some((stack) => stack.file === file)) return
    try {
      // Not parseTemplate(), because the CDK also writes stacks without resources.
      const document = parseDocument(file, readText(file), true)
      const stack: Stack = { key: stackKey(file), file, document, imports: importsIn(document), parent }
      stacks.push(stack)
      for (const [id, resource] of entriesOf(mapAt(document, 'Resources'))) {
        const nested = nestedTemplate(resource, file, assets)
        if (nested !== undefined) add(nested, { stack, id, parameters: mapAt(resource, 'Properties', 'Parameters') })
      }
    } catch (error) {
      failed.push({ file, error })
    }
  }
  for (const file of manifest.stacks) add(file)
  const exports = exportsOf(stacks)
  return [...stacks.map((stack) => ({ file: stack.file, template: link(stack, stacks, exports) })), ...failed]
}

/** The stack and the value of each exported name. */
function exportsOf(stacks: readonly Stack[]): ReadonlyMap<string, { stack: Stack; value: Tree }> {
  const exports = new Map<string, { stack: Stack; value: Tree }>()
  for (const stack of stacks) {
    for (const [, output] of entriesOf(mapAt(stack.document, 'Outputs'))) {
      const [name, value] = [textAt(output, 'Export', 'Name'), mapAt(output, 'Value')]
      if (name !== undefined && value.state !== 'absent') exports.set(name, { stack, value })
    }
  }
  return exports
}

function importsIn(document: Tree): string[] {
  const names = Array.from(nodesIn(document), (node) => textAt(node, 'Fn::ImportValue'))
  return names.filter((name) => name !== undefined)
}

/** Links a stack with the stacks that it needs. */
function link(own: Stack, stacks: readonly Stack[], exports: ReturnType<typeof exportsOf>): Template {
  const needed = new Set([own])
  for (const name of own.imports) {
    const exporting = exports.get(name)?.stack
    if (exporting) needed.add(exporting)
  }
  // These may read the same queues.
  for (const other of stacks) if (other.imports.some((name) => own.imports.includes(name))) needed.add(other)
  for (let stack = own.parent?.stack; stack; stack = stack.parent?.stack) needed.add(stack)
  // Stacks that these need in turn are not linked, so that the work grows with the number of links.
  const nested = stacks.filter(({ parent }) => parent && needed.has(parent.stack))
  for (const stack of nested) needed.add(stack)
  const prefixOf = (stack: Stack) => (stack === own ? '' : `${stack.key}/`)
  const links = {
    stacks: Array.from(needed, (stack) => ({ file: stack.file, document: stack.document, prefix: prefixOf(stack) })),
    exports: new Map<string, Tree>(),
    parameters: new Map<string, Tree>(),
    outputs: new Map<string, Tree>(),
    nested: new Set(stacks.flatMap(({ parent }) => (parent?.stack === own ? parent.id : []))),
  }
  for (const [name, { stack, value }] of exports) if (needed.has(stack)) links.exports.set(name, value)
  for (const stack of needed) {
    const { parent } = stack
    if (!parent || !needed.has(parent.stack)) continue
    for (const [name, value] of entriesOf(parent.parameters)) links.parameters.set(prefixOf(stack) + name, value)
    for (const [name, output] of entriesOf(mapAt(stack.document, 'Outputs'))) {
      const value = mapAt(output, 'Value')
      if (value.state !== 'absent') links.outputs.set(`${prefixOf(parent.stack)}${parent.id}.Outputs.${name}`, value)
    }
  }
  return { file: own.file, document: own.document, syntax: 'json', links }
}
