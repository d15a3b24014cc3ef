import type { Mapping, Model } from '../model/model.ts'
import { type Resource, type Setting, unknown, valueIn, withId } from '../model/setting.ts'
import { neededToRead } from '../rules/function-rules.ts'
import { LAMBDA_GUIDE, ownerOf, type Problem, type Rule, runningWith } from '../rules/rule.ts'
import { isNeeded, isOfOtherType, settingsOfMapping } from '../rules/value-rule.ts'
import { joinNames } from '../shared/format.ts'

export const NOT_CHECKED = {
  id: 'not-checked',
  severity: 'info',
  why: '',
  source: `${LAMBDA_GUIDE}/with-sqs.html`,
} as const

/** What no rule could check of a mapping, and why. Each unknown value that a rule needs is listed. */
export const NOT_CHECKED_RULES: readonly Rule[] = [
  {
    ...NOT_CHECKED,
    check: (mapping, { strict }) => {
      const { function: lambdaFunction, queue } = mapping
      const isNothingRead = lambdaFunction.unreadReason !== undefined && queue.unreadReason !== undefined
      const problems = [...inSettings(mapping), ...inFunction(mapping), ...inQueue(mapping)]
      return problems.map((one) => (strict && isNothingRead ? { ...one, severity: 'warning' } : one))
    },
  },
  { ...NOT_CHECKED, isOfQueue: true, check: (mapping, { ofQueue }) => inSharedQueue(mapping, ofQueue) },
]

/** What is not known of the roads to the queues: one line for roles, and one for senders. */
export function unknownOnRoad(mappings: readonly Mapping[]): string[] {
  const roles = mappings.filter(({ function: target, queue }) => {
    const needed = neededToRead(queue)
    return !needed || needed.some((action) => ownerOf(target).mayDo?.(action) === undefined)
  })
  const senders = mappings.flatMap(({ queue }) => queue.senders?.() ?? [])
  const open = senders.filter(({ maySend, usesKey }) => maySend === undefined || usesKey === undefined)
  const named = (resources: readonly Resource[]) => joinNames([...new Set(resources.map(({ id }) => id))])
  const [ofRoles, ofSenders] = [named(roles.map((mapping) => mapping.function)), named(open)]
  return [
    ...(ofRoles === '' ? [] : [`whether the role of ${ofRoles} may read its queue`]),
    ...(ofSenders === '' ? [] : [`whether ${ofSenders} may send to its queue, and use its key`]),
  ]
}

function notChecked(resource: Resource, what: string, reason: string, setting?: Setting<unknown>): Problem {
  return { resource, position: resource.position, what, reason, setting }
}

function inSettings(mapping: Mapping): Problem[] {
  return settingsOfMapping(mapping).flatMap((named): Problem[] => {
    const { resource, name, setting } = named
    if (setting.state !== 'unknown' || setting.fix !== undefined || !isNeeded(named, mapping)) return []
    return [notChecked(resource, name, setting.reason, setting)]
  })
}

function inFunction(mapping: Mapping): Problem[] {
  const { id, unreadReason, position } = mapping.function
  if (unreadReason === undefined || mapping.functionName) return [] // it is an error
  return [{ ...notChecked(mapping, `the settings of ${id}`, unreadReason), position }]
}

/** The resources that could not be read. Those with the same reason get one finding. */
export function unreadIn({ unreadResources }: Model): Problem[] {
  return unreadResources.map((resource) => {
    const { unreadReason, what = 'this item', fix } = resource
    const setting = withId(`${what} ${unreadReason}`, unknown(unreadReason))
    return { ...notChecked(resource, what, unreadReason, setting), fix }
  })
}

/** The mappings of a queue, unless it is known which of them run at the same time. */
function inSharedQueue({ queue }: Mapping, mappings: readonly Mapping[]): Problem[] {
  const possible = mappings.filter(({ runs }) => valueIn(runs) !== false)
  if (possible.length < 2) return []
  const undecided = possible.filter((mapping) => runningWith(mapping, mappings).length < possible.length)
  const [reason] = undecided.flatMap(({ runs, condition }) =>
    runs.state === 'unknown' ? runs.reason : (condition?.reason ?? []),
  )
  if (reason === undefined) return []
  const names = joinNames(possible.map(({ id }) => id))
  return [notChecked(queue, `whether several mappings read the queue at the same time (${names})`, reason)]
}

/** A queue or a dead-letter queue that could not be read. */
function inQueue(mapping: Mapping): Problem[] {
  const { queue, sourceArn } = mapping
  if (sourceArn) return [] // it is an error
  if (queue.unreadReason !== undefined) {
    const isOpen = queue.fifo.state === 'unknown'
    const also = isOpen ? ', whether it is a FIFO queue, and whether other mappings read it' : ''
    const what = `the visibility timeout, redrive policy and retention of ${queue.id}${also}`
    return [notChecked(mapping, what, queue.unreadReason, queue.redrive)]
  }
  const policy = valueIn(queue.redrive)
  if (policy?.deadLetterQueue.unreadReason === undefined || policy.arn.state === 'absent') return []
  if (policy.arn.fix !== undefined || isOfOtherType(queue, policy.deadLetterQueue)) return []
  const { id, fifo, retention, unreadReason } = policy.deadLetterQueue
  const isFifo = valueIn(queue.fifo)
  const whats = [
    ...(isFifo ? [] : [`the retention of ${id}`]),
    ...(fifo.state === 'unknown' ? [`whether ${isFifo ? id : 'it'} is a FIFO queue`] : []),
  ]
  return whats.length === 0 ? [] : [notChecked(queue, whats.join(', and '), unreadReason, retention)]
}
