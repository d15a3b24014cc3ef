import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { boundedSqsBatch } from '../../src/index.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { anything, check, countKinds, equal, failsWith, keyOf, oneOf, outcomeOf, reported } from '../support/fuzz.ts'
import { listOf, testContext } from '../support/handlers.ts'
import { lookUp, WRAPPERS } from '../support/hostile.ts'

/** What inner handlers return for a batch of this size: valid values, values that are almost valid, and any others. */
function returnedFor(size: number) {
  const statuses = fc.constantFrom<unknown>({ status: 'fulfilled' }, { status: 'rejected' }, null, undefined)
  return fc.oneof(
    anything,
    fc.array(statuses, { minLength: size, maxLength: size }),
    fc.subarray(ids(size)).map((listed) => listOf(...listed)),
    fc.array(statuses, { maxLength: 6 }),
    fc.array(fc.oneof(fc.record({ status: oneOf('fulfilled', 'rejected', 'pending') }), anything), { maxLength: 6 }),
    fc.uniqueArray(fc.nat(6).map((n) => `m${n}`)).map((listed) => listOf(...listed)),
    fc.record({
      batchItemFailures: fc.array(fc.oneof(fc.record({ itemIdentifier: oneOf('m0', 'm1', '') }), anything)),
    }),
  )
}

const results = fc.nat(5).chain((size) =>
  fc.record({
    size: fc.constant(size),
    isFifo: fc.boolean(),
    throwOnFullBatchFailure: fc.boolean(),
    returned: returnedFor(size),
    wrapper: fc.oneof(oneOf('none'), keyOf(WRAPPERS)),
  }),
)

/** The records that a return value lists as failed, or `undefined` if it is not valid for every record. */
function listedBy(returned: unknown, ids: readonly string[]): string[] | undefined {
  if (Array.isArray(returned)) {
    const states = ids.map((_id, index) => (returned[index] ?? { status: 'rejected' }).status)
    const isKnown = states.every((status) => status === 'fulfilled' || status === 'rejected')
    return isKnown && returned.length === ids.length
      ? ids.filter((_id, index) => states[index] === 'rejected')
      : undefined
  }
  const list: unknown = Object(returned).batchItemFailures
  if (!Array.isArray(list)) return undefined
  const listed: unknown[] = Array.from(list, (entry) => Object(entry).itemIdentifier)
  const isKnown = listed.every((id) => ids.includes(id as string))
  return isKnown ? ids.filter((id) => listed.includes(id)) : undefined
}

const kinds = countKinds('unreadable', 'not valid', 'full failure', 'all succeeded', 'some failed', 'blocked')

t.test('a random return value of an inner handler gives a report of the listed records, or an error', async (t) => {
  await check(0.2, results, async ({ size, isFifo, throwOnFullBatchFailure, returned, wrapper }) => {
    const [isReadable, wrap] = lookUp(WRAPPERS, wrapper)
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ throwOnFullBatchFailure }))
      .handler(async () => wrap(returned) as never)
    const groups = ids(size).map((_id, index) => (index % 2 === 0 ? 'even' : 'odd'))
    const event = isFifo ? fifoEvent(...groups) : standardEvent(...groups)
    for (const [index, record] of event.Records.entries()) record.messageId = `m${index}`
    const outcome = await outcomeOf(handler(event, testContext()))
    const listedIds = listedBy(returned, ids(size))
    const first = [0, 1].map((odd) => listedIds?.find((id) => Number(id.slice(1)) % 2 === odd))
    const must = ids(size).filter(
      (id, index) => listedIds?.includes(id) || (isFifo && first[index % 2] && id > `${first[index % 2]}`),
    )
    if (Object(returned) === returned && !isReadable) {
      kinds.count('unreadable')
      failsWith(outcome, 'Error', /trap/)
    } else if (!listedIds) {
      kinds.count('not valid')
      failsWith(outcome, 'TypeError', /^The handler returned .* return what eachRecord\(\) returns/)
    } else if (throwOnFullBatchFailure && size > 0 && must.length === size) {
      kinds.count('full failure')
      failsWith(outcome, 'FullBatchFailureError')
    } else {
      kinds.count(must.length === 0 ? 'all succeeded' : must.length > listedIds.length ? 'blocked' : 'some failed')
      equal('reported', reported(outcome), must)
    }
  })
  kinds.check(t)
})
