import { placeholder } from '../model/text.ts'
import { entriesOf, type Tree } from '../model/tree.ts'
import { mapAt } from './document.ts'

/** Stacks of a CDK app that are read together, and the values that they use of each other. */
export interface Links {
  /** The stack itself comes first. `file` is that in the positions of its nodes. */
  stacks: readonly { file: string | undefined; document: Tree; prefix: string }[]
  exports: ReadonlyMap<string, Tree>
  /** The parameters that the stack around a nested stack sets. As in `outputs`, the prefix is before each name. */
  parameters: ReadonlyMap<string, Tree>
  /** `Nested.Outputs.QueueArn`. */
  outputs: ReadonlyMap<string, Tree>
  /** The ids of the nested stacks whose templates were read. */
  nested: ReadonlySet<string>
}

/** A template with the values of its parameters, and what was evaluated of it so far. */
export interface Scope {
  root: Tree
  /** The name of the stack and a slash, before the ids of its resources. Empty for the stack that is read. */
  prefix: string
  /** Also those of linked stacks. */
  resources: ReadonlyMap<string, Tree>
  given: ReadonlyMap<string, string>
  links?: Links | undefined
  /** The folder of the template, to which the paths in it are relative. */
  folder: string
  /** The account of the stack, or a placeholder. */
  account: string
  /** The parameters whose defaults were used. */
  defaulted: Set<string>
  /** Each node is evaluated once. */
  nodes: Map<Tree, Tree>
  /** How many nodes are being evaluated. */
  depth: number
  /** A scope for each stack, by the file in its positions: a name in a stack means a resource of this stack. */
  stacks: ReadonlyMap<string | undefined, Scope>
}

export function scopeOf(
  root: Tree,
  given: ReadonlyMap<string, string> = new Map(),
  { links, folder = process.cwd() }: Pick<Scope, 'links'> & { folder?: string } = {},
): Scope {
  const resources = new Map<string, Tree>()
  const stacks = new Map<string | undefined, Scope>()
  const account = given.get('AWS::AccountId') ?? placeholder('AWS::AccountId')
  const shared = { folder, given, links, account, resources, stacks, defaulted: new Set<string>(), nodes: new Map() }
  for (const { file, document, prefix } of links?.stacks ?? [{ file: undefined, document: root, prefix: '' }]) {
    for (const [id, declaration] of entriesOf(mapAt(document, 'Resources'))) resources.set(prefix + id, declaration)
    stacks.set(file, { ...shared, root: document, prefix, depth: 0 })
  }
  const [own] = stacks.values()
  return own as Scope
}

/** The scope of the stack that has a node. */
export function scopeAround(scope: Scope, { position }: Tree): Scope {
  return scope.stacks.get(position?.file) ?? scope
}
