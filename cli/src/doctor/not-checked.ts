import type { LambdaFunction, Mapping, Model, Queue } from '../model/model.ts'
import { type Resource, valueIn } from '../model/setting.ts'
import { concurrencyOf } from '../rules/mapping-rules.ts'
import { runningWith } from '../rules/queue-rules.ts'
import { formatNumber, joinNames, numberIn, type Problem, type Siblings } from '../rules/rule.ts'
import { isNeeded, isOfOtherType, settingsOf } from '../rules/value-rule.ts'

/** Lists what no rule could check, and why. Each unknown value that a rule needs is listed here. */
export function createNotChecked({ file, unreadResources, fix }: Model) {
  const notChecked = (resource: Resource, what: string, reason: string): Problem => ({
    resource,
    position: resource.position,
    what,
    reason,
    fix:
      fix ??
      (file === undefined
        ? 'If access was denied, allow the call. Otherwise check the setting yourself.'
        : `${reason.includes('--parameter') ? 'Set the parameter, or check' : 'Check'} the deployed function with --function NAME.`),
  })

  const ofSettings = (mapping: Mapping): Problem[] =>
    settingsOf(mapping).flatMap((named) => {
      const { resource, name, setting } = named
      if (setting.state !== 'unknown' || !isNeeded(named, mapping)) return []
      return [{ ...notChecked(resource, name, setting.reason), setting }]
    })

  function ofFunction(lambdaFunction: LambdaFunction, mapping: Mapping): Problem[] {
    if (lambdaFunction.unreadReason !== undefined) {
      const what = `the settings of ${lambdaFunction.id}`
      return [{ ...notChecked(mapping, what, lambdaFunction.unreadReason), position: lambdaFunction.position }]
    }
    return []
  }

  /**
   * Reports the reserved concurrency if all mappings together exceed it. If those that are known to run exceed it, the
   * setting has an error, which is shown instead.
   */
  function ofConcurrency(lambdaFunction: LambdaFunction, mappings: readonly Mapping[]): Problem[] {
    const { notKnownToRun, upperBound } = concurrencyOf(mappings)
    const { reservedConcurrency: setting } = lambdaFunction
    const reserved = numberIn(setting)
    if (!(upperBound > reserved)) return []
    const what = `whether the reserved concurrency of ${formatNumber(reserved)} is enough for all mappings, which may use ${formatNumber(upperBound)}`
    return notKnownToRun.map(({ id, runs }) => {
      const reason = runs.state === 'unknown' ? runs.reason : `${id} is disabled`
      return { ...notChecked(lambdaFunction, what, reason), setting }
    })
  }

  /** Reports the mappings of a queue, unless it is known which of them run at the same time. */
  function ofSharedQueue(queue: Queue, mappings: readonly Mapping[]): Problem[] {
    const possible = mappings.filter(({ runs }) => valueIn(runs) !== false)
    if (possible.length < 2) return []
    const undecided = possible.filter((mapping) => runningWith(mapping, mappings).length < possible.length)
    const reasons = undecided.flatMap(({ runs, condition }) =>
      runs.state === 'unknown' ? runs.reason : (condition?.reason ?? []),
    )
    const what = `whether several mappings read the queue at the same time (${joinNames(possible.map(({ id }) => id))})`
    return reasons.slice(0, 1).map((reason) => notChecked(queue, what, reason))
  }

  function ofQueue(queue: Queue, mapping: Mapping): Problem[] {
    if (queue.unreadReason !== undefined) {
      const fifo = queue.fifo.state === 'unknown' ? ', and whether it is a FIFO queue' : ''
      const what = `the visibility timeout, redrive policy and retention of ${queue.id}${fifo}`
      return [{ ...notChecked(mapping, what, queue.unreadReason), setting: queue.redrive }]
    }
    const policy = valueIn(queue.redrive)
    if (policy?.deadLetterQueue.unreadReason === undefined || policy.arn.state === 'absent') return []
    if (isOfOtherType(queue, policy.deadLetterQueue)) return []
    const { id, fifo, retention, unreadReason } = policy.deadLetterQueue
    const whats = [
      ...(valueIn(queue.fifo) ? [] : [`the retention of ${id}`]),
      ...(fifo.state === 'unknown' ? [`whether ${valueIn(queue.fifo) ? id : 'it'} is a FIFO queue`] : []),
    ]
    if (whats.length === 0) return []
    return [{ ...notChecked(queue, whats.join(', and '), unreadReason), setting: retention }]
  }

  return {
    forMapping: (mapping: Mapping, siblings: Siblings): Problem[] => [
      ...ofSettings(mapping),
      ...ofFunction(mapping.function, mapping),
      ...ofConcurrency(mapping.function, siblings.ofFunction),
      ...ofQueue(mapping.queue, mapping),
      ...ofSharedQueue(mapping.queue, siblings.ofQueue),
    ],
    forUnreadResources: unreadResources.map((resource): Problem => {
      const problem = notChecked(resource, resource.what ?? 'this item', resource.unreadReason)
      return { ...problem, fix: resource.fix ?? problem.fix }
    }),
  }
}
