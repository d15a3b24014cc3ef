import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk, eachRecord } from '../../../src/index.ts'

let records = 0

/** Waits 50 ms for each record. No record starts in the last 5 s, so that a busy machine also responds in time. */
export const slow = middy()
  .use(boundedSqsBatch({ timeBudget: { drain: 5000, abort: 4000 } }))
  .handler(eachRecord(() => sleep(50)))

/** Waits 10 ms for each record. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(eachRecord(() => sleep(10)))

/** Fails for every record. */
export const fails = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(() => {
      throw new Error('downstream returned 503')
    }),
  )

/** Of each batch, record 3 fails and is reported, and record 4 fails and is removed from the report. */
export const partly = middy()
  .use(boundedSqsBatch({ logger: false, onFailure: (failures) => failures.slice(0, 1) }))
  .handler(
    eachRecord(({ body }) => {
      const { number } = JSON.parse(body)
      if (number === 3) throw new RangeError('not in stock')
      if (number === 4) throw new Error('fetch failed', { cause: { code: 'ECONNREFUSED' } })
    }),
  )

/** In each chunk of five records, one fails. */
export const failsInChunks = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(eachChunk(5, ([first]) => ({ batchItemFailures: first ? [{ itemIdentifier: first.messageId }] : [] })))

/** The process ends during its third batch of 100 records. */
export const crashes = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(() => {
      records += 1
      if (records > 200) process.exit(3)
    }),
  )

/** Ignores the abort signal, and neither the library nor Middy ends the batch in time. */
export const hangs = middy({ timeoutEarlyInMillis: 0 })
  .use(boundedSqsBatch({ timeBudget: false }))
  .handler(eachRecord(() => sleep(60_000)))

/** The library makes the response, but does not start the records. */
export const allSettled = middy<{ Records: unknown[] }>()
  .use(boundedSqsBatch())
  .handler(({ Records }) => Promise.allSettled(Records.map(() => sleep(10))))

/** Removes all records but the first ten from the event. */
const keepTen = {
  before: ({ event }: { event: { Records: unknown[] } }) => {
    event.Records = event.Records.slice(0, 10)
  },
}

/** Only ten records of each batch run, and all count as successful. */
export const keepsTen = middy()
  .use(keepTen)
  .use(boundedSqsBatch())
  .handler(eachRecord(() => sleep(10)))

/** Only ten records of each batch run, and they fail. The others count as successful. */
export const keepsTenThatFail = middy()
  .use(keepTen)
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(() => {
      throw new Error('downstream returned 503')
    }),
  )

/** An earlier middleware responds, so the library receives no event. */
export const respondsEarly = middy()
  .use({ before: () => ({ batchItemFailures: [] }) })
  .use(boundedSqsBatch())
  .handler(eachRecord(() => sleep(10)))

/** Does not use the library. */
export async function plain() {
  await sleep(10)
}

/** Does not use the library, and fails as Powertools does if each record fails. */
export async function plainFails() {
  throw new Error('All records failed processing. See individual errors below.')
}

let batches = 0

/** A middleware that fails from the second batch on, before the library receives the event. */
export const failsBefore = middy()
  .use({
    before() {
      batches += 1
      if (batches > 1) throw new Error('no secret')
    },
  })
  .use(boundedSqsBatch())
  .handler(eachRecord(() => sleep(1)))

/** Calls the function as soon as the Runtime API has accepted a response. */
function afterResponse(call: () => void) {
  return {
    after: () =>
      subscribe('http.client.response.finish', (message) => {
        const { path } = (message as { request: ClientRequest }).request
        if (path.endsWith('/end')) call()
      }),
  }
}

/** The process ends as soon as the Runtime API has accepted a response. */
export const diesAtOnce = middy()
  .use(boundedSqsBatch())
  .use(afterResponse(() => process.exit(1)))
  .handler(eachRecord(() => {}))

/** The process blocks its event loop as soon as the Runtime API has accepted a response. */
export const blocks = middy()
  .use(boundedSqsBatch())
  .use(
    afterResponse(() => {
      for (;;);
    }),
  )
  .handler(eachRecord(() => {}))

const kept: Buffer[] = []

/** Keeps 20 kB of each record. */
export const leaks = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async () => {
      kept.push(Buffer.alloc(20_000, 1))
      await sleep(10)
    }),
  )

const idle: Socket[] = []

async function openConnection(): Promise<Socket> {
  const socket = connect(Number(process.env.DATABASE_PORT), '127.0.0.1')
  const [greeting] = await once(socket, 'data')
  if (String(greeting) !== 'welcome') throw new Error('too many connections')
  socket.write(`${process.pid}`)
  return socket
}

/** Uses a connection to a database for each record in flight, and keeps it. */
export const database = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async () => {
      const socket = idle.pop() ?? (await openConnection())
      await sleep(50)
      idle.push(socket)
    }),
  )
