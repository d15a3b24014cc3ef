import { setImmediate } from 'node:timers/promises'
import type { SQSRecord } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { sqsRecord } from '../support/events.ts'
import { chunkHandlerOf, failed, handlerOf, listOf } from '../support/handlers.ts'
import { steered } from '../support/steered.ts'

// Each handler of a random batch waits for some iterations of the event loop. The limit changes at random when a record
// ends.
t.test(
  'while the limit changes at random, no record is lost, and each record starts within the limit at that time',
  async (t) => {
    const plan = fc.record({
      group: fc.constantFrom('a', 'b', 'c'),
      fails: fc.boolean(),
      iterations: fc.nat(3), // 0: synchronous
    })
    const scenario = fc.record({
      plans: fc.array(plan, { maxLength: 40 }),
      limits: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 20 }),
      isFifo: fc.boolean(),
      size: fc.nat(3), // 0: a handler for records
      batches: fc.integer({ min: 1, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ plans, limits, isFifo, size, batches }) => {
        const { concurrency, search } = steered(limits[0] as number)
        let ends = 0
        search.ended = () => {
          search.limit = limits[++ends % limits.length] as number
        }
        let running = 0
        async function run(iterations: number): Promise<void> {
          for (let iteration = 0; iteration < iterations; iteration++) await setImmediate()
          running--
        }
        function start(index: number): Promise<void> | undefined {
          const { iterations } = plans[index] as (typeof plans)[0]
          if (++running > search.limit) throw new Error(`${running} in flight, but the limit is ${search.limit}`)
          if (iterations > 0) return run(iterations)
          running--
          return undefined
        }
        function indexOf({ messageId }: SQSRecord): number {
          return Number(messageId.slice(1))
        }
        const handle =
          size > 0
            ? chunkHandlerOf(
                size,
                async (records) => {
                  await start(indexOf(records[0] as SQSRecord))
                  return listOf(
                    ...records.filter((each) => plans[indexOf(each)]?.fails).map(({ messageId }) => messageId),
                  )
                },
                { concurrency },
              )
            : handlerOf(
                (record) => {
                  function end() {
                    if (plans[indexOf(record)]?.fails) throw new Error('planned')
                  }
                  const done = start(indexOf(record))
                  return done ? done.then(end) : end()
                },
                { concurrency },
              )
        await setImmediate()
        const Records = plans.map(({ group }, index) =>
          sqsRecord(`m${index}`, {
            eventSourceARN: isFifo ? 'arn:aws:sqs:x:1:q.fifo' : 'arn:aws:sqs:x:1:q',
            attributes: { MessageGroupId: group },
          } as never),
        )
        const expected = plans.flatMap(({ group }, index) => {
          const isBlocked = isFifo && plans.some((other, at) => at < index && other.group === group && other.fails)
          return plans[index]?.fails || isBlocked ? [`m${index}`] : []
        })
        const results = await Promise.all(Array.from({ length: batches }, () => handle({ Records })))
        for (const result of results) {
          if (JSON.stringify(failed(result)) !== JSON.stringify(expected)) {
            throw new Error(`expected ${expected}, got ${failed(result)}`)
          }
        }
      }),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
    )
    t.pass()
  },
)
