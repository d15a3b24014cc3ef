import middy from '@middy/core'
import type { Context, SQSEvent } from 'aws-lambda'
import t from 'tap'
import {
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  type ChunkHandler,
  type ChunkResult,
  eachChunk,
  RecordBlockedError,
} from '../../src/index.ts'
import { busyClock } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, listOf, testContext } from '../support/handlers.ts'

/** The chunks in the order in which they start, if each succeeds at once. */
async function chunksOf(size: number, event: ReturnType<typeof fifoEvent>): Promise<string[]> {
  const started: string[] = []
  const handle = chunkHandlerOf(size, (records) => {
    started.push(records.map(({ messageId }) => messageId).join(' '))
  })
  t.strictSame(failed(await handle(event)), [])
  return started
}

/** Runs chunks of three. For a chunk in `results`, the handler returns that value or throws that error. */
async function runChunks(results: Record<string, unknown>, ...ids: string[]) {
  const errors = new Map<string, unknown>()
  const started: string[] = []
  const handle: ChunkHandler = (records) => {
    const chunk = records.map(({ messageId }) => messageId).join(' ')
    started.push(chunk)
    if (results[chunk] instanceof Error) throw results[chunk]
    return results[chunk] as ChunkResult
  }
  const run = chunkHandlerOf(3, handle, { logger: (error, { messageId }) => errors.set(messageId, error) })
  const reported = failed(await run(fifoEvent(...ids)))
  return { reported, started, errors }
}

t.test('a chunk holds consecutive records of one group', async (t) => {
  busyClock(t) // on a busy machine, 10 ms could pass before the first chunk starts, which changes the order
  t.strictSame(await chunksOf(2, fifoEvent('a1', 'a2', 'a3', 'a4')), ['a1 a2', 'a3 a4'])
  t.strictSame(await chunksOf(2, fifoEvent('a1', 'a2', 'a3', 'b1')), ['a1 a2', 'a3', 'b1'])
  t.strictSame(await chunksOf(3, fifoEvent('a1', 'b1', 'a2', 'c1', 'b2', 'a3')), ['a1 a2 a3', 'b1 b2', 'c1'])
  t.strictSame(await chunksOf(1, fifoEvent('a1', 'b1', 'a2')), ['a1', 'b1', 'a2'])
  t.strictSame(await chunksOf(25, fifoEvent('a1', 'b1', 'c1')), ['a1', 'b1', 'c1'])
})

t.test('a chunk never holds records of a standard queue and of a FIFO queue', async (t) => {
  const [s1, s2, s3] = standardEvent('s1', 's2', 's3').Records
  const [a1, a2, b1] = fifoEvent('a1', 'a2', 'b1').Records
  const event = { Records: [s1, a1, s2, b1, a2, s3] } as ReturnType<typeof fifoEvent>
  t.strictSame(await chunksOf(2, event), ['s1 s2', 'a1 a2', 'b1', 's3'])
  const handle = chunkHandlerOf(2, (records) => listOf(...records.slice(0, 1).map(({ messageId }) => messageId)))
  t.strictSame(failed(await handle(event)), ['s1', 'a1', 'b1', 'a2', 's3'], 'the failure of s1 does not block s2')
})

const failure = new Error('a2')
const ok = { status: 'fulfilled', value: undefined } as const
const failures: [what: string, result: unknown, ...reported: [id: string, name: string][]][] = [
  ['listed', listOf('a2'), ['a2', 'Error'], ['a3', 'RecordBlockedError']],
  [
    'listed without the record between them',
    listOf('a1', 'a3'),
    ['a1', 'Error'],
    ['a2', 'RecordBlockedError'],
    ['a3', 'Error'],
  ],
  [
    'in settled results, although the later record succeeded',
    [ok, { status: 'rejected', reason: failure }, ok],
    ['a2', 'Error'],
    ['a3', 'RecordBlockedError'],
  ],
  [
    'the first two records of the chunk',
    [{ status: 'rejected', reason: failure }, { status: 'rejected', reason: new RangeError('second') }, ok],
    ['a1', 'Error'],
    ['a2', 'RangeError'],
    ['a3', 'RecordBlockedError'],
  ],
  ['the last record of the chunk', listOf('a3'), ['a3', 'Error']],
  ['all records of the chunk', new RangeError('all'), ['a1', 'RangeError'], ['a2', 'RangeError'], ['a3', 'RangeError']],
  ['an invalid return value', {}, ['a1', 'TypeError'], ['a2', 'TypeError'], ['a3', 'TypeError']],
]

for (const [what, returned, ...reported] of failures) {
  t.test(`a failure blocks the later records of its group, in the same chunk and in later ones: ${what}`, async (t) => {
    const ids = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4', 'a5']
    const result = await runChunks({ 'a1 a2 a3': returned }, ...ids)
    t.strictSame(result.started.toSorted(), ['a1 a2 a3', 'b1 b2 b3', 'b4'])
    t.strictSame(result.reported, [...reported.map(([id]) => id), 'a4', 'a5'])
    const names = [...result.errors].map(([id, error]) => [id, (error as Error).name])
    t.strictSame(names, [...reported, ['a4', 'RecordBlockedError'], ['a5', 'RecordBlockedError']])
    const first = result.errors.get(reported[0]?.[0] as string)
    for (const error of result.errors.values()) {
      if (error instanceof RecordBlockedError) t.equal(error.cause, first)
    }
  })
}

/** Runs chunks of three with JSON bodies. The records in `bad` have a bad body. The handler returns `result` for group a. */
async function withBadBodies(bad: string[], result: unknown, options: BoundedSqsBatchOptions = {}) {
  const errors = new Map<string, unknown>()
  const started: string[] = []
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error, { messageId }) => errors.set(messageId, error), ...options }))
    .handler(
      eachChunk(
        3,
        (records) => {
          const chunk = records.map(({ messageId }) => messageId).join(' ')
          started.push(chunk)
          if (!chunk.startsWith('a')) return undefined
          if (result instanceof Error) throw result
          return result as undefined
        },
        { body: 'json' },
      ),
    )
  const { Records } = fifoEvent('a1', 'b1', 'a2', 'b2', 'a3', 'a4', 'c1', 'b3')
  const event = { Records: Records.map((record) => ({ ...record, body: bad.includes(record.messageId) ? '{' : '{}' })) }
  const reported = failed(await handler(event, testContext()))
  const outcomes = [...errors].map(([id, error]) => `${id} ${(error as Error).name}`)
  return { reported, started: started.toSorted(), errors, outcomes }
}

t.test('a bad body blocks the later records of its group, and the earlier ones are handled', async (t) => {
  const cases: [bad: string[], returned: unknown, started: string[], ...outcomes: string[]][] = [
    [['a1'], undefined, [], 'a1 InvalidBodyError', 'a2 RecordBlockedError', 'a3 RecordBlockedError'],
    [['a2'], undefined, ['a1'], 'a2 InvalidBodyError', 'a3 RecordBlockedError'],
    [['a3'], undefined, ['a1 a2'], 'a3 InvalidBodyError'],
    [['a2', 'a3'], undefined, ['a1'], 'a2 InvalidBodyError', 'a3 RecordBlockedError'],
    [['a2'], listOf('a1'), ['a1'], 'a1 Error', 'a2 InvalidBodyError', 'a3 RecordBlockedError'],
    [['a3'], listOf('a1'), ['a1 a2'], 'a1 Error', 'a2 RecordBlockedError', 'a3 InvalidBodyError'],
    [['a2'], new RangeError('a'), ['a1'], 'a1 RangeError', 'a2 InvalidBodyError', 'a3 RecordBlockedError'],
    [['a2'], [ok, ok, ok], ['a1'], 'a1 TypeError', 'a2 InvalidBodyError', 'a3 RecordBlockedError'],
  ]
  for (const [bad, returned, started, ...outcomes] of cases) {
    const result = await withBadBodies(bad, returned)
    t.strictSame(result.outcomes, [...outcomes, 'a4 RecordBlockedError'], bad.join())
    t.strictSame(
      result.reported,
      result.outcomes.map((text) => text.slice(0, 2)),
    )
    t.strictSame(result.started, [...started, 'b1 b2 b3', 'c1'])
    const ownErrors: unknown[] = []
    for (const [id, error] of result.errors) {
      if (error instanceof RecordBlockedError) t.ok(ownErrors.includes(error.cause), `an earlier failure blocks ${id}`)
      else ownErrors.push(error)
    }
  }
})

t.test("a bad body blocks the batch with fifoFailure: 'batch'", async (t) => {
  const result = await withBadBodies(['a2'], undefined, { fifoFailure: 'batch', concurrency: 1 })
  t.strictSame(result.started, ['a1'])
  t.strictSame(result.reported, ['b1', 'a2', 'b2', 'a3', 'a4', 'c1', 'b3'])
  t.match(result.errors.get('b1'), { name: 'RecordBlockedError', cause: { name: 'InvalidBodyError' } })
})

t.test(
  'the report that an inner handler receives lists the records that a failure inside a chunk blocks',
  async (t) => {
    const inner = eachChunk(3, () => listOf('a2'))
    const reports: string[][] = []
    const handler = middy()
      .use(boundedSqsBatch({ logger: false }))
      .handler(async (event: SQSEvent, context: Context) => {
        const report = await inner(event, context)
        reports.push(failed(report))
        return report
      })
    t.strictSame(failed(await handler(fifoEvent('a1', 'a2', 'a3'), testContext())), ['a2', 'a3'])
    t.strictSame(reports, [['a2', 'a3']])
  },
)
