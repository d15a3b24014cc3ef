import { placeholder } from '../model/partial-text.ts'
import { entriesOf, type Tree } from '../model/tree.ts'
import { mapAt } from './document.ts'

/** A stack of a template. `file` is that in the positions of its nodes. */
export interface Stack {
  file: string | undefined
  document: Tree
}

/** Stacks of a CDK app that are read together, and the values that they export. */
export interface Links {
  /** The stack itself comes first. `prefix` is before the ids of resources: the stack and a slash. */
  stacks: readonly (Stack & { prefix: string })[]
  exports: ReadonlyMap<string, { value: Tree }>
}

export interface Template {
  file: string
  document: Tree
  syntax: 'yaml' | 'json'
  /** Only set for a stack of a CDK app. */
  links?: Links
}

/** A stack with the values of its parameters, and what was evaluated of it so far. */
export interface Scope extends Stack {
  /** Empty for the stack that is read. */
  prefix: string
  /** Also those of linked stacks. */
  resources: ReadonlyMap<string, Tree>
  given: ReadonlyMap<string, string>
  links?: Links | undefined
  /** The folder of the template, to which the paths in it are relative. */
  folder: string
  account: string
  nodes: Map<Tree, Tree>
  depth: number
  /** A scope for each stack, by its file: a name in a stack means a resource of this stack. */
  stacks: ReadonlyMap<string | undefined, Scope>
}

export function scopeOf(
  document: Tree,
  given: ReadonlyMap<string, string> = new Map(),
  { links, folder = process.cwd() }: Pick<Scope, 'links'> & { folder?: string } = {},
): Scope {
  const resources = new Map<string, Tree>()
  const stacks = new Map<string | undefined, Scope>()
  const account = given.get('AWS::AccountId') ?? placeholder('AWS::AccountId')
  const shared = { resources, given, links, folder, account, nodes: new Map(), depth: 0, stacks }
  for (const stack of links?.stacks ?? [{ file: undefined, document, prefix: '' }]) {
    const own = entriesOf(mapAt(stack.document, 'Resources'))
    for (const [id, resource] of own) resources.set(stack.prefix + id, resource)
    stacks.set(stack.file, { ...shared, ...stack })
  }
  const [own] = stacks.values()
  return own as Scope
}

export function scopeAround(scope: Scope, { position }: Tree): Scope {
  return scope.stacks.get(position?.file) ?? scope
}
