import { dirname, resolve as resolvePath } from 'node:path'
import { link } from '../linker/link.ts'
import type { Inventory } from '../model/declaration.ts'
import type { ChosenValue, Model } from '../model/model.ts'
import { PSEUDO_PARAMETERS, placeholder, textTree } from '../model/text.ts'
import { entriesOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'
import { joinNames } from '../shared/format.ts'
import { readText } from '../shared/text-file.ts'
import { declarationsIn } from './declarations.ts'
import { isJson, mapAt, nodesIn, parseDocument } from './document.ts'
import { evaluate, refusingRules } from './evaluate.ts'
import { refuseConfiguration } from './other-tools.ts'
import { checkAllowed, chosenValues } from './parameters.ts'
import { type Links, type Scope, scopeAround, scopeOf } from './scope.ts'
import { acceptancesIn, unreadIn } from './unread.ts'

/** Parses `NAME=VALUE` from the command line. */
export function parseParameters(texts: readonly string[] = []): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--parameter ${text}: write --parameter NAME=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** A template that was parsed. */
export interface Template {
  file: string
  document: Tree
  syntax: 'yaml' | 'json'
  /** Only set for a stack of a CDK app. */
  links?: Links
}

/** Parses a SAM or CloudFormation template. Throws a UsageError that names the position if the text is something else. */
export function parseTemplate(file: string, content: string): Template {
  const document = parseDocument(file, content)
  if (mapAt(document, 'Resources').state === 'map') {
    return { file, document, syntax: isJson(content) ? 'json' : 'yaml' }
  }
  if (mapAt(document, 'terraform_version').state !== 'absent') {
    throw new UsageError(`${file} is a plan or a state of Terraform, but this command can read only templates`)
  }
  throw new UsageError(`${file}:1:1: there is no Resources map, so this is not a SAM or CloudFormation template`)
}

/** The names of the parameters of a template, with the pseudo parameters. */
export function parametersOf({ document }: Template): string[] {
  return [...entriesOf(mapAt(document, 'Parameters')).map(([name]) => name), ...PSEUDO_PARAMETERS]
}

/** Throws a UsageError if no template has a parameter of a given name. `file` is the only template, if there is only one. */
export function checkParameters(given: ReadonlyMap<string, string>, names: Iterable<string>, file?: string): void {
  const all = [...new Set(names)]
  for (const name of given.keys()) {
    if (all.includes(name)) continue
    const own = joinNames(all.filter((one) => !PSEUDO_PARAMETERS.includes(one))) || 'none'
    const what =
      file === undefined ? 'no input has a parameter of this name. Their' : `${file} has no parameter of this name. Its`
    throw new UsageError(`--parameter ${name}: ${what} parameters: ${own}`)
  }
}

/**
 * Reads the SQS event source mappings of a SAM or CloudFormation template, as far as they are known without deployment.
 * A parameter with allowed values and without a default has the first one. Rejects with a UsageError that names the
 * position if the file is not a template.
 */
export async function readTemplate(file: string, given: ReadonlyMap<string, string>): Promise<Model> {
  refuseConfiguration(file)
  const template = parseTemplate(file, readText(file))
  checkParameters(given, parametersOf(template), file)
  const chosen = chosenValues(template.document)
  const model = readModel(template, given, chosen)
  return { ...model, chosen: model.defaulted.flatMap((name) => chosen.get(name) ?? []) }
}

/** Reads a template with the defaults of the parameters that are not given. */
export function readModel(
  { file, document, links }: Template,
  given: ReadonlyMap<string, string>,
  chosen?: ReadonlyMap<string, ChosenValue>,
): Model & { defaulted: readonly string[] } {
  checkAllowed(document, given)
  const scope = scopeOf(document, given, { chosen, links, folder: dirname(resolvePath(file)) })
  for (const { name, position, says } of refusingRules(scope)) {
    throw new UsageError(`${file}:${position?.line ?? 1}: the rule ${name} refuses these parameters: ${says}`)
  }
  const model = link(inventoryOf(scope, file))
  return { ...model, constructOf: (id) => constructOf(scope, id), defaulted: [...scope.defaulted] }
}

/** What a template declares, with the values of its parameters. */
export function inventoryOf(scope: Scope, file: string): Inventory {
  // A parameter that only names a dead-letter queue is not used by a setting that is checked.
  const other = scopeOf(scope.root, scope.given, scope)
  return {
    format: 'cloudFormation',
    declarations: declarationsIn(scope),
    deadLetterTargets: deadLetterTargetsIn(other),
    elsewhere: 'it is not in this template',
    account: scope.account,
    unreadResources: unreadIn(scope),
    acceptances: acceptancesIn(scope, file),
  }
}

/** Keys of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(RedrivePolicy|DeadLetter(Config|Queue|Arn|TargetArn)|OnFailure)$/

/** The values that name a dead-letter queue or a destination of failures. */
function deadLetterTargetsIn(scope: Scope): { owner: string; target: Tree }[] {
  return Array.from(scope.resources).flatMap(([owner, declaration]) => {
    const nodes = Array.from(nodesIn(declaration)).flatMap((node) => {
      return entriesOf(node).flatMap(([key, value]) => (NAMES_DEAD_LETTERS.test(key) ? [...nodesIn(value)] : []))
    })
    const targets = nodes.flatMap((node) => [evaluate(scope, node), ...substitutedIn(scope, node)])
    return targets.filter((target) => textIn(target) !== '').map((target) => ({ owner, target }))
  })
}

/** The resources that a text of Fn::Sub names, also if other parts of the text are not known. */
function substitutedIn(scope: Scope, node: Tree): Tree[] {
  const names = Array.from(knownText(node)?.matchAll(/\$\{([^!}][^}]*)\}/g) ?? [], ([, name]) => String(name))
  return names.map((name) => textTree(placeholder(scopeAround(scope, node).prefix + name)))
}

/** The path of the construct that makes a resource: `Shop/Queue` for the resource `Shop/Queue/Resource`. */
function constructOf(scope: Scope, id: string): string | undefined {
  const node = scope.resources.get(id)
  const path = node && knownText(mapAt(node, 'Metadata', 'aws:cdk:path'))
  return path?.replace(/\/(Resource|Default)$/, '')
}
