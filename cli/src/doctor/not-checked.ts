import type { Mapping, Unread } from '../model/model.ts'
import { type Resource, unknown, valueIn, withId } from '../model/setting.ts'
import { limitsOf } from '../rules/concurrency-rules.ts'
import { numberIn, type Problem, runningWith } from '../rules/rule.ts'
import { isNeeded, isOfOtherType, settingsOfMapping } from '../rules/value-rule.ts'
import { formatNumber, joinNames } from '../shared/format.ts'
import { fixOfUnchecked, type Presentation } from './presentation.ts'

function notChecked(input: Presentation, resource: Resource, what: string, reason: string): Problem {
  return { resource, position: resource.position, what, reason, fix: fixOfUnchecked(input, reason) }
}

/** Lists what no rule could check of a mapping, and why. Each unknown value that a rule needs is listed here. */
export function notCheckedOf(input: Presentation, mapping: Mapping, ofFunction: readonly Mapping[]): Problem[] {
  const { function: lambdaFunction } = mapping
  const ofSettings = settingsOfMapping(mapping).flatMap((named): Problem[] => {
    const { resource, name, setting } = named
    if (setting.state !== 'unknown' || !isNeeded(named, mapping)) return []
    return [{ ...notChecked(input, resource, name, setting.reason), setting }]
  })
  const { id, unreadReason, position } = lambdaFunction
  const ofFunctionItself: Problem[] =
    unreadReason === undefined
      ? []
      : [{ ...notChecked(input, mapping, `the settings of ${id}`, unreadReason), position }]
  return [
    ...ofSettings,
    ...ofFunctionItself,
    ...ofConcurrency(input, mapping, ofFunction),
    ...ofQueueOf(input, mapping),
  ]
}

/** Lists the resources that could not be read. Those with the same reason get one finding. */
export function unreadIn(input: Presentation, resources: readonly Unread[]): Problem[] {
  return resources.map((resource) => {
    const problem = notChecked(input, resource, resource.what ?? 'this item', resource.unreadReason)
    const setting = withId(`${problem.what} ${problem.reason}`, unknown(resource.unreadReason))
    return { ...problem, setting, fix: resource.fix ?? problem.fix }
  })
}

/** Reports the reserved concurrency if only all mappings together exceed it, and it is not known whether all run. */
function ofConcurrency(
  input: Presentation,
  { function: lambdaFunction }: Mapping,
  mappings: readonly Mapping[],
): Problem[] {
  const { reservedConcurrency: setting } = lambdaFunction
  const reserved = numberIn(setting)
  const { notKnownToRun, mayBe } = limitsOf(mappings)
  if (!(mayBe > reserved)) return []
  const what = `whether the reserved concurrency of ${formatNumber(reserved)} is enough for all mappings, which may use ${formatNumber(mayBe)}`
  return notKnownToRun.flatMap(({ runs }) =>
    runs.state === 'unknown' ? { ...notChecked(input, lambdaFunction, what, runs.reason), setting } : [],
  )
}

/** Reports the mappings of a queue, unless it is known which of them run at the same time. */
export function ofSharedQueue(input: Presentation, { queue }: Mapping, mappings: readonly Mapping[]): Problem[] {
  const possible = mappings.filter(({ runs }) => valueIn(runs) !== false)
  if (possible.length < 2) return []
  const undecided = possible.filter((mapping) => runningWith(mapping, mappings).length < possible.length)
  const reasons = undecided.flatMap(({ runs, condition }) =>
    runs.state === 'unknown' ? runs.reason : (condition?.reason ?? []),
  )
  const what = `whether several mappings read the queue at the same time (${joinNames(possible.map(({ id }) => id))})`
  return reasons.slice(0, 1).map((reason) => notChecked(input, queue, what, reason))
}

/** Reports a queue or a dead-letter queue that could not be read. */
function ofQueueOf(input: Presentation, mapping: Mapping): Problem[] {
  const { queue } = mapping
  if (mapping.sourceArn) return [] // it is an error
  if (queue.unreadReason !== undefined) {
    const fifo =
      queue.fifo.state === 'unknown' ? ', whether it is a FIFO queue, and whether other mappings read it' : ''
    const what = `the visibility timeout, redrive policy and retention of ${queue.id}${fifo}`
    return [{ ...notChecked(input, mapping, what, queue.unreadReason), setting: queue.redrive }]
  }
  const policy = valueIn(queue.redrive)
  if (policy?.deadLetterQueue.unreadReason === undefined || policy.arn.state === 'absent') return []
  if (policy.arn.fix !== undefined) return []
  if (isOfOtherType(queue, policy.deadLetterQueue)) return []
  const { id, fifo, retention, unreadReason } = policy.deadLetterQueue
  const whats = [
    ...(valueIn(queue.fifo) ? [] : [`the retention of ${id}`]),
    ...(fifo.state === 'unknown' ? [`whether ${valueIn(queue.fifo) ? id : 'it'} is a FIFO queue`] : []),
  ]
  if (whats.length === 0) return []
  return [{ ...notChecked(input, queue, whats.join(', and '), unreadReason), setting: retention }]
}
