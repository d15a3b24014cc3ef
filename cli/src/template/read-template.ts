import { dirname, resolve as resolvePath } from 'node:path'
import { link } from '../linker/link.ts'
import type { Inventory } from '../model/declaration.ts'
import type { Model } from '../model/model.ts'
import { isPseudoParameter } from '../model/partial-text.ts'
import { entriesOf, knownText } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'
import { joinNames } from '../shared/format.ts'
import { readText } from '../shared/text-file.ts'
import { madeOf, resourcesIn } from './declarations.ts'
import { isJson, mapAt, parseDocument } from './document.ts'
import { deadLetterTargetsIn } from './mentions.ts'
import { refuseConfiguration } from './other-tools.ts'
import { type Scope, scopeOf, type Template } from './scope.ts'
import { acceptancesIn, unreadIn, whyOpen } from './unread.ts'

export function parseParameters(texts: readonly string[] = []): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--parameter ${text}: write --parameter NAME=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** Parses a template. Throws a UsageError that names the position if the text is something else. */
export function parseTemplate(file: string, content: string): Template {
  const document = parseDocument(file, content)
  if (mapAt(document, 'Resources').state === 'map') {
    return { file, document, syntax: isJson(content) ? 'json' : 'yaml' }
  }
  throw new UsageError(`${file}:1:1: there is no Resources map, so this is not a SAM or CloudFormation template`)
}

export function parametersOf({ document }: Template): string[] {
  return entriesOf(mapAt(document, 'Parameters')).map(([name]) => name)
}

/** Throws a UsageError if no template has a given parameter. */
export function checkParameters(given: ReadonlyMap<string, string>, names: Iterable<string>): void {
  const all = [...new Set(names)]
  const unknown = [...given.keys()].find((name) => !all.includes(name) && !isPseudoParameter(name))
  if (unknown === undefined) return
  const own = joinNames(all) || 'none'
  throw new UsageError(`--parameter ${unknown}: no template has a parameter of this name. The parameters are: ${own}`)
}

/**
 * Reads the SQS event source mappings of a SAM or CloudFormation template, as far as they are known without deployment.
 * Rejects with a UsageError that names the position if the file is not a template.
 */
export async function readTemplate(file: string, given: ReadonlyMap<string, string>): Promise<Model> {
  refuseConfiguration(file)
  const template = parseTemplate(file, readText(file))
  checkParameters(given, parametersOf(template))
  return readModel(template, given)
}

/** Reads a template with the defaults of the parameters that are not given. */
export function readModel({ file, document, links }: Template, given: ReadonlyMap<string, string>): Model {
  const scope = scopeOf(document, given, { links, folder: dirname(resolvePath(file)) })
  const defaulted = entriesOf(mapAt(document, 'Parameters')).filter(([name, declared]) => {
    const isOfStore = String(knownText(mapAt(declared, 'Type'))).startsWith('AWS::SSM::')
    return !given.has(name) && !isOfStore && mapAt(declared, 'Default').state !== 'absent'
  })
  return { ...link(inventoryOf(scope, file)), defaulted: defaulted.map(([name]) => name) }
}

export function inventoryOf(scope: Scope, file: string): Inventory {
  const resources = resourcesIn(scope)
  const unreadResources = unreadIn(scope, resources)
  return {
    format: 'cloudFormation',
    declarations: resources.flatMap((resource) => [resource, ...madeOf(resource)]),
    deadLetterTargets: deadLetterTargetsIn(scope),
    elsewhere: 'it is not in this template',
    account: scope.account,
    open: whyOpen(resources, unreadResources),
    unreadResources,
    acceptances: acceptancesIn(scope, resources, file),
  }
}
