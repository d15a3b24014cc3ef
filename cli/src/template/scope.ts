import { placeholder } from '../model/text.ts'
import { type Entries, entriesOf, type Tree } from '../model/tree.ts'
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

/** The value of a condition, or the reason why it is not known. */
export type Verdict = boolean | { reason: string }

/** A template with the values of its parameters, and what was evaluated of it so far. */
export interface Scope {
  root: Tree
  /** The name of the stack and a slash, before the ids of its resources. Empty for the stack that is read. */
  prefix: string
  parameters: Entries
  mappings: Entries
  conditions: Entries
  /** Also those of linked stacks. */
  resources: ReadonlyMap<string, Tree>
  given: ReadonlyMap<string, string>
  /** The values of parameters that are not given and have no default. */
  chosen?: ReadonlyMap<string, { value: string }> | undefined
  links?: Links | undefined
  /** The folder of the template, to which the paths in it are relative. */
  folder: string
  /** The account of the stack, or a placeholder. */
  account: string
  /** The parameters whose defaults or chosen values were used. */
  defaulted: Set<string>
  /** Each node and each condition is evaluated once. */
  nodes: Map<Tree, Tree>
  verdicts: Map<string, Verdict>
  /** How many nodes and conditions are being evaluated. */
  depth: number
  /** The resources that refer to a resource by its logical id. Only set after it was needed. */
  referrers?: ReadonlyMap<string, ReadonlySet<string>>
  /** A scope for each stack, by the file in its positions: a name in a stack means a resource of this stack. */
  stacks: ReadonlyMap<string | undefined, Scope>
}

export function scopeOf(
  root: Tree,
  given: ReadonlyMap<string, string> = new Map(),
  { links, chosen, folder = process.cwd() }: Pick<Scope, 'chosen' | 'links'> & { folder?: string } = {},
): Scope {
  const resources = new Map<string, Tree>()
  const stacks = new Map<string | undefined, Scope>()
  const shared = {
    folder,
    chosen,
    given,
    links,
    account: given.get('AWS::AccountId') ?? placeholder('AWS::AccountId'),
    resources,
    stacks,
    defaulted: new Set<string>(),
    nodes: new Map(),
    depth: 0,
  }
  for (const { file, document, prefix } of links?.stacks ?? [{ file: undefined, document: root, prefix: '' }]) {
    for (const [id, declaration] of entriesOf(mapAt(document, 'Resources'))) resources.set(prefix + id, declaration)
    const section = (name: string) => entriesIn(mapAt(document, name))
    stacks.set(file, {
      ...shared,
      root: document,
      prefix,
      parameters: section('Parameters'),
      mappings: section('Mappings'),
      conditions: section('Conditions'),
      verdicts: new Map(),
    })
  }
  const [own] = stacks.values()
  return own as Scope
}

function entriesIn(tree: Tree): Entries {
  return tree.state === 'map' ? tree.entries : new Map()
}

/** The scope of the stack that has a node. */
export function scopeAround(scope: Scope, { position }: Tree): Scope {
  return scope.stacks.get(position?.file) ?? scope
}
