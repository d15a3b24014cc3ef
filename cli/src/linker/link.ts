import type { Declaration, Inventory, Unread } from '../model/declaration.ts'
import type { Mapping, Model } from '../model/model.ts'
import { absent, type Setting, unknown, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS, OTHER_SOURCES, STREAM_SETTINGS, settingsIn } from '../model/settings-table.ts'
import { type Tree, textIn } from '../model/tree.ts'
import { functionAt } from './functions.ts'
import { arnIn, queueAt } from './queues.ts'
import { type Index, indexOf, isOfOtherService, type Link, linkTo, namesIn, refusedIn } from './references.ts'

export function link(inventory: Inventory): Model {
  const index = indexOf(inventory)
  const unread: Unread[] = []
  const model: Model & { mappings: Mapping[]; otherReaders: Mapping[] } = {
    mappings: [],
    otherReaders: [],
    unreadResources: [],
    acceptances: inventory.acceptances ?? [],
  }
  for (const declaration of inventory.declarations.filter(({ kind }) => kind === 'mapping')) {
    const { id, position, condition, isElsewhere } = declaration
    if (condition?.holds !== false) {
      const mapping = readMapping(index, unread, declaration)
      if (mapping) (isElsewhere ? model.otherReaders : model.mappings).push(mapping)
    } else if (!isElsewhere) {
      unread.push({ id, position, unreadReason: condition.reason, what: 'this mapping' })
    }
  }
  return { ...model, unreadResources: [...unread, ...inventory.unreadResources] }
}

/** A mapping of a queue. Undefined for other mappings, and if the source is not known, which is listed. */
function readMapping(index: Index, unread: Unread[], declaration: Declaration): Mapping | undefined {
  const { id, position, properties, readsQueue, fix } = declaration
  const placed = (tree: Tree): Tree => (tree.position ? tree : { ...tree, position: properties.position ?? position })
  const source = placed(index.valueAt(declaration, 'source'))
  const found = linkTo(index, source, 'queue')
  if (!readsQueue && isOfOtherService(textIn(source), found)) return undefined
  const stream = Object.entries(settingsIn(STREAM_SETTINGS, declaration, index.format))
  const queue = queueAt(index, found, source.position)
  // An unknown ARN counts as that of a queue, unless the mapping has a property of other services.
  if (queue.unreadReason !== undefined && queue.fifo.state === 'unknown') {
    const others = stream.filter(([name]) => OTHER_SOURCES.includes(name)).map(([, setting]) => setting)
    if (others.some(({ state }) => state === 'known')) return undefined
    const open = others.find((other) => other.state === 'unknown')
    if (open) unread.push({ id, position, what: 'whether it reads SQS', unreadReason: open.reason })
    if (open) return undefined
  }
  const name = placed(index.valueAt(declaration, 'function'))
  addDoubts(unread, declaration, 'queue', found)
  const linked = linkTo(index, name, 'function', 'alias', 'version')
  addDoubts(unread, declaration, 'function', linked)
  const lambdaFunction = functionAt(index, name)
  const settings = settingsIn(MAPPING_SETTINGS, declaration, index.format)
  const arn = arnIn(source, found)
  return {
    id,
    position,
    fix,
    ...settings,
    ...conditionOf(index, declaration, lambdaFunction.id, settings.runs),
    queue,
    function: lambdaFunction,
    sourceArn: arn.fix === undefined ? undefined : arn,
    functionName: refusedIn(linked, 'function', name.position),
    target: targetOf(index, declaration, name, linked),
    streamSettings: stream.flatMap(([name, setting]) => (setting.state === 'known' ? [{ name, setting }] : [])),
  }
}

/** What a mapping invokes: the same text for the same function, alias or version. Undefined if it is not certain. */
function targetOf(index: Index, { type }: Declaration, name: Tree, { to, doubt }: Link): string | undefined {
  if (!to) return textIn(name) || undefined
  if (doubt !== undefined) return undefined
  // SAM lets its events invoke the alias that it publishes.
  const alias = type === 'part' && to.kind === 'function' ? index.valueAt(to, 'publishedAlias') : absent
  const [, qualifier = alias.state === 'absent' ? '' : 'its alias'] = namesIn(textIn(name))
  return `${to.kind} ${to.id} ${qualifier}`
}

/** Lists why the queue or the function of a mapping may be another one than the one that is checked. */
function addDoubts(unread: Unread[], { id }: Declaration, kind: string, { to, doubt }: Link): void {
  if (to && doubt !== undefined) unread.push({ id, what: `whether its ${kind} is ${to.id}`, unreadReason: doubt })
}

/** The condition of a mapping, if its value is not known. With that of its function, both exist together. */
function conditionOf(index: Index, { condition }: Declaration, functionId: string, runs: Setting<boolean>) {
  if (!condition || condition.holds !== undefined) return { runs }
  const { name, reason } = condition
  const isShared = index.byId.get(functionId)?.some(({ condition: own }) => own?.name === name)
  return { condition: { name, reason }, runs: !isShared && valueIn(runs) ? unknown(reason) : runs }
}
