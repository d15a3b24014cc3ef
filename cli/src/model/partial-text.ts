import { isObject, parseJson } from '../shared/json.ts'
import { type Position, unknown } from './setting.ts'
import { type Tree, textIn, toTree } from './tree.ts'

// Text of which only parts are known. A placeholder stands for an unknown part. It is the name of a resource,
// an attribute or a pseudo parameter between two NUL characters, which do not occur in templates.

export function placeholder(name: string) {
  return `\0${name}\0`
}

export function placeholdersIn(text: string): string[] {
  return Array.from(text.matchAll(/\0([^\0]*)\0/g), ([, name]) => String(name))
}

/** The resource of an attribute: `Queue` for `Queue.Arn`. A name of a resource stays as it is. */
export function resourceOf(name: string): string {
  return name.split('.', 1).join()
}

/** The parts of an ARN, split at colons. Colons in placeholders and dynamic references do not count. */
export function partsOf(text: string): string[] {
  return text.match(/(?:\0[^\0]*\0|{{resolve:[^}]*}}|[^:\0])+|(?<=:|^)(?=:|$)/g) ?? []
}

/** The parts of an ARN that matter. Missing parts are empty. */
export function namesInArn(text: string) {
  const [arn, , service, , account, name] = partsOf(`${text}:::::`) as [string, string, string, string, string, string]
  return { isArn: arn === 'arn', service, account, name }
}

/** A text for people, with ${…} for placeholders. */
export function readable(text: string) {
  return text.replaceAll(/\0([^\0]*)\0/g, '$${$1}')
}

/** Whether a name is that of a parameter that every template has. Its value is known only after deployment. */
export function isPseudoParameter(name: string): boolean {
  return /^AWS::(AccountId|NotificationARNs|NoValue|Partition|Region|Stack(Id|Name)|URLSuffix)$/.test(name)
}

/** Why a text is not completely known, or undefined if it is. */
export function whyUnknown(text: string): string | undefined {
  if (text.includes('{{resolve:')) return 'it is a dynamic reference ({{resolve:…}})'
  const [name] = placeholdersIn(text)
  if (name === undefined) return undefined
  const how = isPseudoParameter(name) ? ` (set it with --parameter ${name}=…)` : ''
  return `${name} is known only after deployment${how}`
}

export function textTree(text: string, position?: Position): Tree {
  const reason = whyUnknown(text)
  return reason === undefined ? { state: 'known', value: text, position } : { state: 'unknown', reason, text, position }
}

/** A map, which can also be JSON text. */
export function mapIn(tree: Tree): Tree {
  const text = textIn(tree)
  if (text === '') return tree
  const value = parseJson(text.replaceAll('\0', '\\u0000'))
  if (isObject(value)) return toTree(value, (part) => textTree(part, tree.position), tree.position)
  const reason = whyUnknown(text)
  return reason === undefined || tree.state === 'unknown' ? tree : unknown(reason, tree.position)
}
