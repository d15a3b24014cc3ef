import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
const rateLimit = fileURLToPath(new URL('../../src/scheduler/rate-limit.ts', import.meta.url))

/**
 * Processes 100 events of 1,000 records. Returns by how many bytes the heap grew in this time, without garbage that a
 * minor collection finds. In a process of its own, because tap keeps more in memory.
 */
function heapGrowth(innerHandler: string): number {
  const program = `
    import middy from '@middy/core'
    import { boundedSqsBatch, eachChunk, eachRecord } from ${JSON.stringify(index)}

    const event = ${JSON.stringify(JSON.stringify(standardEvent(...ids(1_000))))}
    const handler = middy().use(boundedSqsBatch()).handler(${innerHandler})

    // A function, because the variables of the loop would keep the last event.
    async function invoke() {
      const { batchItemFailures } = await handler(JSON.parse(event), {})
      if (batchItemFailures.length > 0) throw new Error('records failed')
    }

    gc()
    const before = process.memoryUsage().heapUsed
    const heapUsed = []
    for (let invocation = 1; invocation <= 100; invocation++) {
      await invoke()
      await new Promise(setImmediate)
      if (invocation % 10 > 0) continue
      gc({ type: 'minor' })
      heapUsed.push(process.memoryUsage().heapUsed)
    }
    console.log(Math.max(...heapUsed) - before)
  `
  const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module'], { input: program })
  return Number(output)
}

// V8 has a full garbage collection only after the heap has grown. A function with little memory needs the minor ones.
for (const [name, innerHandler] of Object.entries({
  'eachRecord()': 'eachRecord(async () => {})',
  'eachRecord(), whose handler reads the signal':
    'eachRecord(async (record, context, { signal }) => { signal.aborted })',
  'eachChunk()': 'eachChunk(10, async () => {})',
  'eachChunk(), whose handler reads the signal':
    'eachChunk(10, async (chunk, context, { signal }) => { signal.aborted })',
})) {
  t.test(`${name}: minor garbage collections free the records of ended invocations`, async (t) => {
    const growth = heapGrowth(innerHandler)
    t.ok(growth < 10_000_000, `the heap grew by ${growth} bytes`)
  })
}

/**
 * Processes 2,000 batches of ten records, of which one fails, and then 4,000 more. Returns by how many bytes the heap
 * grew during the latter. V8 keeps its bytecode, because dropping it would hide a leak.
 */
function heapGrowthOfEnded(option: string): number {
  const program = `
    import middy from '@middy/core'
    import { boundedSqsBatch, eachRecord } from ${JSON.stringify(index)}

    const event = ${JSON.stringify(JSON.stringify(standardEvent(...ids(10))))}
    const handler = middy()
      .use(boundedSqsBatch({ logger: false, ${option} }))
      .handler(eachRecord(async (record, context, { index, signal }) => {
        if (index === 3 && !signal.aborted) throw new Error('refused')
      }))

    async function invoke(times) {
      for (let invocation = 0; invocation < times; invocation++) {
        const { batchItemFailures } = await handler(JSON.parse(event), { getRemainingTimeInMillis: () => 10_000 })
        if (batchItemFailures.length !== 1) throw new Error('not one record failed')
        if (invocation % 50 === 0) await new Promise(setImmediate)
      }
      gc()
      return process.memoryUsage().heapUsed
    }

    const before = await invoke(2_000)
    console.log(await invoke(4_000) - before)
  `
  const flags = ['--expose-gc', '--no-flush-bytecode', '--input-type=module']
  return Number(execFileSync(process.execPath, flags, { input: program }))
}

for (const option of [
  'concurrency: 5',
  'recordTimeout: 1_000',
  'rateLimit: { limit: 1_000, interval: 1 }',
  'onFailure: (failures) => failures',
]) {
  t.test(`with ${option}, a full garbage collection frees all of the ended invocations`, async (t) => {
    const growth = heapGrowthOfEnded(option)
    t.ok(growth < 1_000_000, `the heap grew by ${growth} bytes in 4,000 invocations`)
  })
}

/** Returns by how many bytes the heap grew when these numbers of records had started, each `pause` milliseconds later. */
function heapGrowthOfRateLimit(counts: readonly number[], pause: number): number {
  const program = `
    import { createRateLimit } from ${JSON.stringify(rateLimit)}

    let now = 1000
    performance.now = () => now
    const { countStarts } = createRateLimit({ limit: 1_000_000, interval: 1_000 })
    countStarts(1)
    gc()
    const before = process.memoryUsage().heapUsed
    for (const count of ${JSON.stringify(counts)}) {
      now += ${pause}
      countStarts(count)
    }
    gc()
    console.log(process.memoryUsage().heapUsed - before)
    countStarts(0) // keeps the rate limit in memory until here
  `
  return Number(execFileSync(process.execPath, ['--expose-gc', '--input-type=module'], { input: program }))
}

t.test('the rate limit keeps no starts that are older than its interval', async (t) => {
  const afterPause = heapGrowthOfRateLimit([1_000_000, 1], 1_001)
  t.ok(afterPause < 500_000, `after a pause, the heap has grown by ${afterPause} bytes`)
  const steady = heapGrowthOfRateLimit(Array(1_000).fill(1_000), 1_001)
  t.ok(steady < 500_000, `after 1,000,000 starts in 1,000 intervals, the heap has grown by ${steady} bytes`)
  const within = heapGrowthOfRateLimit([1_000_000, 1], 1)
  t.ok(within > 4_000_000, `within the interval, the heap has grown by ${within} bytes`)
})
