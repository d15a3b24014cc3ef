import middy from '@middy/core'
import fc from 'fast-check'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../src/index.ts'
import { failed, mockClock, settled, sqsRecord, standardEvent, timedContext } from './support.ts'

// Random batches against a model of a few lines, on a clock of their own. Every record has a time that its handler
// takes and an outcome; the model knows nothing of queues, lanes or promises: it goes from event to event.

interface Plan {
  readonly took: number
  readonly outcome: 'succeeds' | 'fails' | 'hangs'
  readonly isSync: boolean
  readonly group: string
}

interface Scenario {
  readonly plans: readonly Plan[]
  readonly isFifo: boolean
  readonly fifoFailure: 'group' | 'batch'
  readonly concurrency: number
  readonly recordTimeout: number | undefined
  readonly remaining: number | undefined
}

/** The ids that must be reported, and those that must be started, in this order. */
function model({ plans, isFifo, fifoFailure, concurrency, recordTimeout = Infinity, remaining }: Scenario) {
  const abortAt = remaining === undefined ? Infinity : remaining - Math.min(250, 0.05 * remaining)
  const drainAt = remaining === undefined ? Infinity : remaining - Math.min(1000, 0.2 * remaining)
  const succeeded = new Set<number>()
  const blocked = new Set<number>()
  const started: number[] = []
  const decided = new Set<number>()
  let slots: { index: number; since: number; freeAt: number }[] = []
  let now = 0
  const block = (index: number) => {
    if (!isFifo) return
    for (let later = 0; later < plans.length; later++) {
      if (started.includes(later)) continue
      if (fifoFailure === 'batch' || plans[later]?.group === plans[index]?.group) blocked.add(later)
    }
  }
  for (;;) {
    // Handlers that are due settle, in the order in which they were started; a timeout at the same time comes first.
    for (const { index, since } of slots) {
      if (!decided.has(index) && now - since >= recordTimeout) {
        decided.add(index)
        block(index)
      }
    }
    for (const { index, freeAt } of slots) {
      if (freeAt > now || decided.has(index)) continue
      decided.add(index)
      if (plans[index]?.outcome === 'succeeds') succeeded.add(index)
      else block(index)
    }
    slots = slots.filter(({ freeAt }) => freeAt > now)
    const isOver = () => plans.every((_plan, index) => decided.has(index) || blocked.has(index))
    for (let index = 0; index < plans.length && slots.length < concurrency && now < drainAt; index++) {
      const plan = plans[index] as Plan
      if (started.includes(index) || blocked.has(index)) continue
      const isHeld = isFifo && slots.some((slot) => plans[slot.index]?.group === plan.group)
      if (isHeld) continue
      started.push(index)
      if (plan.isSync && plan.outcome !== 'hangs') {
        decided.add(index)
        if (plan.outcome === 'succeeds') succeeded.add(index)
        else block(index)
        index = -1 // a slot was free again at once: the first that may start now
        continue
      }
      slots.push({ index, since: now, freeAt: plan.outcome === 'hangs' ? Infinity : now + plan.took })
    }
    const running = slots.filter(({ index }) => !decided.has(index))
    if (isOver() || (now >= drainAt && running.length === 0) || now >= abortAt) break
    const isStuck = slots.length === concurrency && slots.every(({ since }) => now - since >= 2 * recordTimeout)
    if (isStuck) break
    const events = [
      drainAt,
      abortAt,
      ...slots.flatMap(({ since, freeAt }) => [freeAt, since + recordTimeout, since + 2 * recordTimeout]),
    ]
    const next = Math.min(...events.filter((at) => at > now))
    if (next === Infinity) break
    now = next
  }
  return {
    reported: plans.flatMap((_plan, index) => (succeeded.has(index) ? [] : `m${index}`)),
    started: started.map((index) => `m${index}`),
  }
}

// Times are chosen so that no two events of different kinds fall together: what comes first then is nobody's promise.
const plan = fc.record({
  took: fc.integer({ min: 1, max: 30 }).map((n) => n * 10 + 1),
  outcome: fc.oneof(
    { weight: 6, arbitrary: fc.constant('succeeds' as const) },
    { weight: 3, arbitrary: fc.constant('fails' as const) },
  ),
  isSync: fc.boolean(),
  group: fc.constantFrom('a', 'b', 'c'),
})
const hangingPlan = fc.record({ ...planFields(), outcome: fc.constantFrom('succeeds', 'fails', 'hangs') })

function planFields() {
  return {
    took: fc.integer({ min: 1, max: 30 }).map((n) => n * 10 + 1),
    isSync: fc.boolean(),
    group: fc.constantFrom('a', 'b', 'c'),
  }
}
void plan
void hangingPlan
