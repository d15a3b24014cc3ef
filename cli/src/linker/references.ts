import type { Declaration, Inventory, Kind } from '../model/declaration.ts'
import type { LambdaFunction, Queue } from '../model/model.ts'
import { namesInArn, partsOf, placeholder, placeholdersIn, resourceOf, whyUnknown } from '../model/partial-text.ts'
import { invalid, type Position, type Setting } from '../model/setting.ts'
import { PLACES, valueAt } from '../model/settings-table.ts'
import { formOf, type References, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'

/** An inventory with ways to find what exists in it. */
export interface Index extends Inventory {
  /** A queue and a function can have the same name. */
  byId: ReadonlyMap<string, readonly Declaration[]>
  ofKind: (kind: Kind) => readonly Declaration[]
  /** Those with this name, URL or ARN. */
  named: (kind: Kind, text: string) => readonly Declaration[]
  /** What a resource has at a place. */
  valueAt: (declaration: Pick<Declaration, 'properties'>, place: keyof typeof PLACES) => Tree
  /** What was linked so far. Each of them is made once. */
  functions: Map<Declaration, LambdaFunction>
  queues: Map<Declaration, Queue>
  mentions: Map<Declaration, readonly string[]>
  belonging: Map<string, ReadonlyMap<Declaration | undefined, readonly Declaration[]>>
  statements: Map<Declaration, readonly (Tree | undefined)[]>
  /** By action: the statements of queues and keys that may allow it to roles. */
  forRoles: Map<string, readonly (Tree | undefined)[]>
  /** Resources whose content is not known. */
  opaque?: readonly Declaration[]
  /** What sends to each queue, and where it names the queue. */
  sendings?: ReadonlyMap<Declaration, readonly { from: Declaration; principal: string; tree: Tree }[]>
  /** The owners of the settings that name a queue as dead-letter queue, by its id. */
  deadLetterOwners?: ReadonlyMap<string, ReadonlySet<string>>
}

/** What a value is that must be an ARN, and is not. */
type WrongForm = 'URL' | 'name' | undefined

/** The resource that a value names, or the reason why it is not known. */
export interface Link {
  to?: Declaration | undefined
  form?: WrongForm
  /** Why AWS refuses it: the resource, or its attribute, does not exist. */
  refused?: string | undefined
  /** The reason why it may be another resource. */
  doubt?: string | undefined
  /** Why it is not known. Empty if it is. */
  reason: string
  /** The ARN or the name, which may have placeholders. Missing if the resource is known. */
  text?: string
  /** The resource, if it is of another kind. */
  other?: Declaration | undefined
}

export function indexOf(inventory: Inventory): Index {
  const existing = inventory.declarations.filter(({ condition }) => condition?.holds !== false)
  const byKind = Map.groupBy(existing, ({ kind }) => kind)
  const byText = new Map<string, Declaration[]>()
  for (const one of existing) {
    const { kind, names } = one
    for (const text of new Set([names.arn, names.url, names.name]))
      cached(byText, `${kind} ${text}`, () => []).push(one)
  }
  const { format } = inventory
  return {
    ...inventory,
    functions: new Map(),
    queues: new Map(),
    mentions: new Map(),
    belonging: new Map(),
    statements: new Map(),
    forRoles: new Map(),
    byId: Map.groupBy(existing, ({ id }) => id),
    ofKind: (kind) => byKind.get(kind) ?? [],
    named: (kind, text) => byText.get(`${kind} ${text}`) ?? [],
    valueAt: ({ properties }, place) => valueAt(PLACES[place], properties, format),
  }
}

/** The resource of one of these kinds that a value names: by a reference, an ARN, a URL or a name. */
export function linkTo(index: Index, tree: Tree, ...kinds: readonly Kind[]): Link {
  const text = textIn(tree)
  const { isArn, account } = namesInArn(text)
  // An ARN with another account can have the name of a resource that is declared here, and mean another one.
  const { account: own } = index
  const isOtherAccount = isArn && own !== undefined && account !== own && whyUnknown(account) === undefined
  const references = referencesOf(tree)
  if (tree.state === 'known' && text === '') return { reason: 'it is empty' }
  if (tree.state === 'known' || isOtherAccount) return linkByText(index, text, kinds, references)
  const reason = whyNoText(tree)
  const candidates = new Set(references.to.flatMap(({ id }) => index.byId.get(id) ?? []))
  const [to, ...others] = [...candidates].filter(({ kind }) => kinds.includes(kind))
  const streams = [...candidates].filter(({ kind }) => kind === 'stream')
  if (to && text === '' && others.length + streams.length > 0) {
    const ids = [to, ...(others.length > 0 ? others : streams)].map(({ id }) => id)
    const after = index.format === 'terraform' ? 'apply' : 'deployment'
    return { reason: `it is known only after ${after} whether it is ${ids.join(' or ')}` }
  }
  const unresolved = references.unresolved.join(' and ')
  const also = unresolved === '' ? undefined : `depends on ${unresolved}, which a plan does not show`
  if (to) {
    const attributes = references.to.filter(({ id }) => id === to.id).map(({ attribute }) => attribute)
    const wrong = index.format === 'cloudFormation' ? attributes.find((one) => isWrong(to, one)) : undefined
    const refused = wrong && `${to.id} has no attribute ${wrong}`
    return { to, reason: '', form: formOfReference(text, attributes), refused, doubt: also && `it also ${also}` }
  }
  const [other] = candidates
  if (other && text !== '') return { reason: `it comes from ${other.id}, of type ${other.type}`, other }
  const missing = tree.state === 'unknown' && index.open === undefined ? tree.missing : undefined
  const refused = missing && `it refers to ${missing}, which does not exist: ${reason}`
  if (text === '') {
    const stream = [...candidates].every(isNoQueue) && also === undefined ? other : undefined
    return { reason: also === undefined ? reason : `${reason}, and ${also}`, refused, other: stream }
  }
  return { ...linkByText(index, text, kinds, references), ...(refused === undefined ? {} : { refused }) }
}

/** The setting of a value that names something that does not exist. Undefined for other values. */
export function refusedIn({ refused, to }: Link, kind: Kind, position?: Position): Setting<string> | undefined {
  if (refused === undefined) return undefined
  return invalid(refused, to ? `Set it to the ARN of ${to.id}.` : `Refer to a ${kind} that exists.`, position)
}

/** Whether a resource of a template does not have an attribute. The names are case-sensitive. */
function isWrong({ kind }: Declaration, attribute = ''): boolean {
  if (kind === 'queue') return !['', 'Arn', 'QueueName', 'QueueUrl'].includes(attribute)
  return attribute !== 'Arn' && attribute.toLowerCase() === 'arn'
}

/** Types of resources that are not queues, and whose ARN a redrive policy may name by mistake. */
const NOT_A_QUEUE =
  /^(AWS::(SNS::Topic|S3::Bucket|Lambda::Function|Serverless::\w+|Events::\w+)|aws_(sns_topic|s3_bucket))$/

/** Whether a resource is another event source, or surely not a queue. */
export function isNoQueue({ kind, type }: Declaration): boolean {
  return kind === 'stream' || NOT_A_QUEUE.test(type)
}

function whyNoText(tree: Tree): string {
  if (tree.state === 'unknown') return tree.reason
  return tree.state === 'absent' ? 'it is not set' : `it is a ${formOf(tree)}`
}

/** The resources that a value refers to. In a text, these are placeholders that are whole parts of an ARN. */
function referencesOf(tree: Tree): References {
  if (tree.refersTo) return tree.refersTo
  const parts = partsOf(textIn(tree))
  const names = parts.flatMap((part) => placeholdersIn(part).filter((name) => part === placeholder(name)))
  const to = names.map((name) => ({ id: resourceOf(name), attribute: name.slice(resourceOf(name).length + 1) }))
  return { to, unresolved: [] }
}

/** What a reference is, if it is the URL or the name of a queue. A name can be a part of an ARN, a URL cannot. */
function formOfReference(text: string, attributes: readonly (string | undefined)[]): WrongForm {
  const [attribute, ...others] = new Set(attributes)
  if (attribute === undefined || others.length > 0) return undefined
  const isWhole = /^(\0[^\0]*\0)?$/.test(text)
  const isUrl = ['', 'id', 'url', 'QueueUrl'].includes(attribute)
  if (isUrl && (isWhole || namesInArn(text).isArn)) return 'URL'
  return attribute === 'QueueName' && isWhole ? 'name' : undefined
}

/** The name of a queue or of a function in its ARN, or in its URL. An alias or a version can follow. */
export function namesIn(text: string): readonly string[] {
  if (/^https?:/.test(text)) return text.split('/').slice(-1)
  const parts = partsOf(text)
  const start = parts.indexOf('function') + 1 || (namesInArn(text).isArn ? 5 : 0)
  return parts.slice(start)
}

function linkByText(index: Index, text: string, kinds: readonly Kind[], { to: referred }: References): Link {
  const { isArn, service, account } = namesInArn(text)
  const isOwnAccount = index.account === undefined || account === index.account
  const [name = '', qualifier] = namesIn(text)
  const plainArn = qualifier === undefined ? text : text.slice(0, -qualifier.length - 1)
  const fitting = kinds.flatMap((kind) => {
    if (kind === 'queue' && isArn && !(service === 'sqs' && isOwnAccount)) return []
    // The name of an alias alone does not say of which function it is.
    return [...index.named(kind, text), ...(kind === 'alias' ? [] : index.named(kind, name))]
  })
  const same = fitting.filter(({ names: { arn } }) => !isArn || arn === undefined || [text, plainArn].includes(arn))
  const aliases = same.filter(({ kind, names: { arn } }) => kind === 'alias' && arn === text)
  const declared = same.filter(({ id }) => referred.some((one) => one.id === id))
  const all = [aliases, declared, same].find(({ length }) => length > 0) ?? []
  const [one, ...more] = new Set(all)
  const form = isArn || whyUnknown(text) !== undefined ? undefined : /^https?:/.test(text) ? 'URL' : 'name'
  if (one && more.length === 0) return { to: one, reason: '', form }
  if (one) return { reason: `${[one, ...more].map(({ id }) => id).join(' and ')} have the same name`, text }
  const isOpen = isArn && service === 'sqs' && !isOwnAccount ? undefined : whyUnknown(isArn ? name : text)
  return { reason: isOpen ?? whyUnknown(service) ?? index.elsewhere, text, form }
}

/** Whether a value is the ARN of another service, or refers to another event source. */
export function isOfOtherService(text: string, found: Link): boolean {
  const { isArn, service } = namesInArn(text)
  if (found.other) return found.other.kind === 'stream'
  return !found.to && isArn && service !== 'sqs' && whyUnknown(service) === undefined
}
