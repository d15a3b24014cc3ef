// A Lambda environment in its own process. It runs batches that call the downstream. Its argument is an `Environment`.

import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { type BatchSummary, boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { type AdaptiveConcurrency, adaptiveConcurrency } from 'middy-bounded-sqs-batch/adaptive'
import { sqsEvent } from 'middy-bounded-sqs-batch/testing'
import type { AdaptiveSettings, LimitSearch } from '../../src/scheduler/limiter.ts'
import type { HttpCase } from './http-cases.ts'
import { seededRandom } from './simulator.ts'

export interface Environment extends Omit<HttpCase, 'downstream' | 'sweep' | 'minRecords' | 'environments'> {
  readonly port: number
  readonly concurrency: number | 'adaptive'
  /** How many records each batch has. */
  readonly batches: readonly number[]
}

/** One batch. */
export interface HttpBatch {
  readonly records: number
  readonly succeeded: number
  readonly duration: number
  readonly limit: number
}

/** What happened in a tenth of a second. */
export interface Sample {
  /** Milliseconds since the first batch started. */
  readonly time: number
  readonly inFlight: number
  /** Results of earlier versions do not have it. */
  readonly limit?: number | undefined
  readonly succeeded: number
}

export interface EnvironmentResult {
  readonly batches: readonly HttpBatch[]
  readonly samples: readonly Sample[]
}

const SAMPLE_TIME = 100
const PAUSE = 20

const {
  port,
  concurrency,
  batches,
  retries = 0,
  instant = 0,
  compute = 0,
} = JSON.parse(process.argv[2] as string) as Environment
const agent = new Agent({ keepAlive: true })
const random = seededRandom(process.pid)
let inFlight = 0
let succeeded = 0
let summary: BatchSummary | undefined
let search: LimitSearch | undefined

/** A value for `concurrency` whose limit can be read while a batch runs. */
function observed(adaptive: AdaptiveConcurrency): AdaptiveConcurrency {
  // The exported type does not have this function.
  const { createSearch } = adaptive as AdaptiveSettings
  function observedSearch(max: number): LimitSearch {
    search = createSearch(max)
    return search
  }
  return { ...adaptive, createSearch: observedSearch } as AdaptiveConcurrency
}

function call(): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method: 'POST', agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode as number))
    })
    sent.on('error', reject).end()
  })
}

async function callWithRetries(): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const status = await call()
    if (status === 200) return
    if (attempt > retries) throw Object.assign(new Error(`downstream returned ${status}`), { status })
    await delay(random() * 50 * 2 ** attempt)
  }
}

function computeFor(milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

async function handleRecord(): Promise<void> {
  inFlight++
  try {
    if (random() >= instant) await callWithRetries()
    if (compute > 0) computeFor(compute)
    succeeded++
  } finally {
    inFlight--
  }
}

const handler = middy()
  .use(
    boundedSqsBatch({
      concurrency: concurrency === 'adaptive' ? observed(adaptiveConcurrency()) : concurrency,
      logger: false,
      onSummary: (each) => {
        summary = each
      },
    }),
  )
  .handler(eachRecord(handleRecord))

const samples: Sample[] = []
const results: HttpBatch[] = []
const begin = performance.now()
let sampled = 0
const sampler = setInterval(() => {
  samples.push({ time: performance.now() - begin, inFlight, limit: search?.limit, succeeded: succeeded - sampled })
  sampled = succeeded
}, SAMPLE_TIME)
for (const records of batches) {
  const event = sqsEvent(Array.from({ length: records }, () => 'body'))
  const start = performance.now()
  const { batchItemFailures } = await handler(event, {} as Context)
  results.push({
    records,
    succeeded: records - batchItemFailures.length,
    duration: performance.now() - start,
    limit: summary?.concurrency?.limit ?? (concurrency as number),
  })
  await delay(PAUSE)
}
clearInterval(sampler)
process.send?.({ batches: results, samples } satisfies EnvironmentResult)
process.disconnect()
agent.destroy()
