import { dirname, resolve as resolvePath } from 'node:path'
import type { ChosenValue, Model } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { joinNames } from '../rules/rule.ts'
import { UsageError } from '../shared/errors.ts'
import { readText } from '../shared/text-file.ts'
import { entriesOf, isJson, type Node, parseDocument } from './document.ts'
import { collect } from './mappings.ts'
import { refuseConfiguration } from './other-tools.ts'
import { checkAllowed, chosenValues } from './parameters.ts'
import { attributeOf, property, textOf } from './reader.ts'
import { type Links, type Scope, scopeOf } from './resolve.ts'
import { PSEUDO_PARAMETERS } from './text.ts'

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
  document: Node
  syntax: 'yaml' | 'json'
  /** Only set for a stack of a CDK app. */
  links?: Links
}

/** Parses a SAM or CloudFormation template. Throws a UsageError that names the position if the text is something else. */
export function parseTemplate(file: string, content: string): Template {
  const document = parseDocument(file, content)
  const entries = entriesOf(document)
  if (entries.get('Resources')?.kind === 'map') {
    return { file, document, syntax: isJson(content) ? 'json' : 'yaml' }
  }
  if (entries.has('terraform_version')) {
    throw new UsageError(`${file} is a plan or a state of Terraform, but this command can read only templates`)
  }
  throw new UsageError(`${file}:1:1: there is no Resources map, so this is not a SAM or CloudFormation template`)
}

/** The names of the parameters of a template, with the pseudo parameters. */
export function parametersOf({ document }: Template): string[] {
  return [...entriesOf(entriesOf(document).get('Parameters')).keys(), ...PSEUDO_PARAMETERS]
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
  { file, document, links, syntax }: Template,
  given: ReadonlyMap<string, string>,
  chosen?: ReadonlyMap<string, ChosenValue>,
): Model & { defaulted: readonly string[] } {
  checkAllowed(document, given)
  const scope = scopeOf(document, given, { chosen, links, folder: dirname(resolvePath(file)) })
  const found = collect(scope, file)
  return { file, syntax, constructOf: (id) => constructOf(scope, id), ...found, defaulted: [...scope.defaulted] }
}

/** The path of the construct that makes a resource: `Shop/Queue` for the resource `Shop/Queue/Resource`. */
function constructOf(scope: Scope, id: string): string | undefined {
  const path = valueIn(textOf(property(scope, attributeOf(scope, id, 'Metadata'), 'aws:cdk:path')))
  return path?.replace(/\/(Resource|Default)$/, '')
}
