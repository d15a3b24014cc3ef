import type { Declaration, Inventory } from '../model/declaration.ts'
import type { Mapping, Model, Unread } from '../model/model.ts'
import { type Setting, unknown, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS, OTHER_SOURCES, PLACES, STREAM_SETTINGS, settingsIn, valueAt } from '../model/settings.ts'
import { type Tree, textIn } from '../model/tree.ts'
import { type FunctionLinker, functionAt } from './functions.ts'
import { arnIn, type QueueLinker, queueAt, queueLinker } from './queues.ts'
import { indexOf, isOfOtherService, type Link, linkTo } from './references.ts'

type Linker = FunctionLinker & QueueLinker & { unread: Unread[] }

/** Links the resources of an input: mappings with their functions and queues, and these with each other. */
export function link(inventory: Inventory): Model {
  const index = indexOf(inventory)
  const linker: Linker = { ...queueLinker(index), functions: new Map(), unread: [] }
  const model: Model & { mappings: Mapping[]; otherReaders: Mapping[]; absentResources: Unread[] } = {
    mappings: [],
    otherReaders: [],
    unreadResources: [],
    absentResources: [],
    acceptances: inventory.acceptances ?? [],
  }
  for (const declaration of inventory.declarations.filter(({ kind }) => kind === 'mapping')) {
    const { id, position, condition, isElsewhere } = declaration
    if (condition?.holds !== false) {
      const mapping = readMapping(linker, declaration)
      if (mapping) (isElsewhere ? model.otherReaders : model.mappings).push(mapping)
    } else if (!isElsewhere) {
      model.absentResources.push({ id, position, unreadReason: condition.reason, what: 'this mapping' })
    }
  }
  return { ...model, unreadResources: [...linker.unread, ...inventory.unreadResources] }
}

/** A mapping of a queue. Undefined for other mappings, and if the source is not known, which is listed. */
function readMapping(linker: Linker, declaration: Declaration): Mapping | undefined {
  const { index, unread } = linker
  const { id, position, properties, isMadeBySam, readsQueue } = declaration
  const placed = (tree: Tree): Tree => (tree.position ? tree : { ...tree, position: properties.position ?? position })
  const source = placed(valueAt(PLACES.source, properties, index.format))
  const found = linkTo(index, source, 'queue')
  if (!readsQueue && isOfOtherService(textIn(source), found)) return undefined
  const stream = settingsIn(STREAM_SETTINGS, declaration, index.format)
  const queue = queueAt(linker, found, source.position)
  // An unknown ARN counts as that of a queue, unless the mapping has a property that only other services have.
  if (queue.unreadReason !== undefined && queue.fifo.state === 'unknown') {
    const others = OTHER_SOURCES.map((key) => stream[key])
    if (others.some(({ state }) => state === 'known')) return undefined
    const open = others.find((other) => other.state === 'unknown')
    if (open) unread.push({ id, position, what: 'whether it reads SQS', unreadReason: open.reason })
    if (open) return undefined
  }
  const name = placed(valueAt(PLACES.function, properties, index.format))
  addDoubts(linker, declaration, 'queue', found)
  addDoubts(linker, declaration, 'function', linkTo(index, name, 'function', 'alias'))
  const lambdaFunction = functionAt(linker, name)
  const settings = settingsIn(MAPPING_SETTINGS, declaration, index.format)
  const arn = arnIn(source, found)
  return {
    id,
    ...(position ? { position } : {}),
    ...settings,
    ...conditionOf(linker, declaration, lambdaFunction.id, settings.runs),
    queue,
    function: lambdaFunction,
    ...(arn.fix === undefined ? {} : { sourceArn: arn }),
    streamSettings: Object.entries(STREAM_SETTINGS).flatMap(([key, row]) => {
      const setting = stream[key as keyof typeof stream]
      return setting.state === 'known' ? [{ name: row.name, setting }] : []
    }),
    ...(isMadeBySam ? { isMadeBySam } : {}),
  }
}

/** Lists why the queue or the function of a mapping may be another one than the one that is checked. */
function addDoubts({ unread }: Linker, { id }: Declaration, kind: string, { to, doubt }: Link): void {
  if (to && doubt !== undefined) unread.push({ id, what: `whether its ${kind} is ${to.id}`, unreadReason: doubt })
}

/** The condition of a mapping, if its value is not known. With that of its function, both exist together. */
function conditionOf({ index }: Linker, { condition }: Declaration, functionId: string, runs: Setting<boolean>) {
  if (!condition || condition.holds !== undefined) return { runs }
  const { name, reason } = condition
  const isShared = index.byId.get(functionId)?.some(({ condition: own }) => own?.name === name)
  return { condition: { name, reason }, runs: !isShared && valueIn(runs) ? unknown(reason) : runs }
}
