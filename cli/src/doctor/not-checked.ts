import {
  type LambdaFunction,
  type Mapping,
  type Model,
  type Queue,
  type Resource,
  type Setting,
  valueIn,
} from './model.ts'
import type { Broken } from './rule.ts'
import { DEPRECATED, PREVIEWS } from './runtimes.ts'

/** What no rule could look at, and why. The rules pass over a value that is not known; so each is listed here. */
export const notChecked = ({ file, mappings, unread }: Model): Broken[] => {
  const all = (resource: Resource, what: string, reason: string): Broken => ({
    resource,
    place: resource.place,
    what: `Not checked: ${what}: ${reason}`,
    fix:
      file === undefined
        ? 'Allow the call, or look at it by hand.'
        : `${reason.includes('--parameter') ? 'Give the parameter, or check' : 'Check'} what is deployed with --function NAME.`,
  })
  const one = (resource: Resource, name: string, setting: Setting<unknown>): Broken[] => {
    if (setting.state !== 'unknown') return []
    const broken = { ...all(resource, name, setting.reason), setting, place: setting.place ?? resource.place }
    return [setting.wrong ? { ...broken, fix: 'Correct the value.' } : broken]
  }

  const ofMapping = (mapping: Mapping) => [
    ...one(mapping, 'FunctionResponseTypes', mapping.reports),
    ...one(mapping, 'BatchSize', mapping.batchSize),
    ...one(mapping, 'MaximumBatchingWindowInSeconds', mapping.window),
    ...one(mapping, 'MaximumConcurrency', mapping.maximumConcurrency),
    ...(mapping.maximumConcurrency.state === 'absent'
      ? []
      : one(mapping, 'ProvisionedPollerConfig', mapping.provisioned)),
  ]

  const ofFunction = (target: LambdaFunction, mapping: Mapping): Broken[] => {
    if (target.unread !== undefined) {
      const what = `the timeout, runtime and reserved concurrency of ${target.id}`
      return [{ ...all(mapping, what, target.unread), place: target.place }]
    }
    const limited = mappings.some((each) => each.function === target && each.maximumConcurrency.state !== 'absent')
    const runtime = valueIn(target.runtime)
    const dateless = runtime !== undefined && !DEPRECATED.has(runtime)
    const why = PREVIEWS.includes(runtime ?? '') ? 'is a preview without one' : 'is none whose date is known here'
    return [
      ...one(target, 'Timeout', target.timeout),
      ...one(target, 'Runtime', target.runtime),
      ...(dateless
        ? [{ ...all(target, 'the date of its deprecation', `the runtime ${runtime} ${why}`), setting: target.runtime }]
        : []),
      ...(limited ? one(target, 'ReservedConcurrentExecutions', target.reservedConcurrency) : []),
    ]
  }

  const ofQueue = (queue: Queue, mapping: Mapping): Broken[] => {
    if (queue.unread !== undefined) {
      const fifo = queue.fifo.state === 'unknown' ? ', and whether it is a FIFO queue' : ''
      const what = `the visibility timeout, redrive policy and retention of ${queue.id}${fifo}`
      return [{ ...all(mapping, what, queue.unread), place: queue.place }]
    }
    const redrive = valueIn(queue.redrive)
    if (!redrive) return [...ofQueueItself(queue), ...one(queue, 'RedrivePolicy', queue.redrive)]
    const { maxReceiveCount, deadLetterQueue: target } = redrive
    const retention =
      target.unread === undefined
        ? one(target, 'MessageRetentionPeriod', target.retention)
        : [{ ...all(queue, `the retention of ${target.id}`, target.unread), place: target.place }]
    return [
      ...ofQueueItself(queue),
      ...one(queue, 'maxReceiveCount', maxReceiveCount),
      ...one(queue, 'MessageRetentionPeriod', queue.retention),
      ...retention,
    ]
  }
  const ofQueueItself = (queue: Queue) => [
    ...one(queue, 'FifoQueue', queue.fifo),
    ...one(queue, 'VisibilityTimeout', queue.visibilityTimeout),
  ]

  return [
    ...mappings.flatMap((mapping) => [
      ...ofMapping(mapping),
      ...ofFunction(mapping.function, mapping),
      ...ofQueue(mapping.queue, mapping),
    ]),
    ...unread.map((resource) => all(resource, 'this', resource.unread ?? '')),
  ]
}
