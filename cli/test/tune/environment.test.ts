import { availableParallelism } from 'node:os'
import { type Test, test } from 'tap'
import type { FunctionOptions } from '../../src/local/environment/environment.ts'
import { numberedMessages } from '../../src/local/queue/messages-file.ts'
import { type MeasuredBatch, startWith } from '../../src/tune/environment.ts'
import { createSample } from '../../src/tune/sample.ts'
import { handlerFile, isAlive } from '../support/runs.ts'

/** Processes this number of batches of 100 records in a process with the handler, which has a concurrency of 10. */
async function run(
  t: Test,
  handler: Partial<FunctionOptions>,
  { batches = 1, concurrency = 10, collects = false } = {},
) {
  const sample = createSample([...numberedMessages(100)], 100, false)
  // On a busy machine, loading takes longer than the 10 s that Lambda allows.
  const given = { file: handlerFile('tuned.ts'), timeout: 20_000, initTimeout: 120_000, ...handler }
  const start = startWith(given, false)
  const environment = await start({ concurrency, memory: 1769, collects }, new AbortController().signal)
  t.teardown(environment.end)
  const results = []
  for (let count = 0; count < batches; count += 1) results.push(await environment.process(sample.batch()))
  return { results, environment }
}

function textsOf(batch: MeasuredBatch | undefined) {
  return Object.fromEntries(batch?.causes.map(({ text, count }) => [text, count]) ?? [])
}

test('the process uses the concurrency, so with 2, each of 50 records waits for the one before', async (t) => {
  const startedAt = performance.now()
  const { results, environment } = await run(t, { exportName: 'handler' }, { concurrency: 2 })
  const elapsed = performance.now() - startedAt
  const { duration = 0, usage, ...counts } = results[0] ?? {}
  t.strictSame(counts, { succeeded: 100, failed: 0, causes: [], problem: undefined })
  t.match(usage, { concurrencyVariable: '2' })
  t.ok(duration >= 499 && duration <= elapsed, `${duration} of ${elapsed} ms`)
  const { cpu = 0, peakMemory = 0, memoryInUse } = usage ?? {}
  t.ok(cpu > 0 && cpu <= elapsed * availableParallelism(), `${cpu} ms of CPU`)
  t.ok(peakMemory > 30 && peakMemory < 1000, `${peakMemory} MB`)
  t.equal(memoryInUse, undefined)
  await environment.end()
  t.notOk(isAlive(environment.pid))
})

test('if garbage is collected, the memory in use is known', async (t) => {
  const { results } = await run(
    t,
    { exportName: 'handler', env: { NODE_OPTIONS: '--no-warnings' } },
    { collects: true },
  )
  const { memoryInUse = 0, peakMemory = 0 } = results[0]?.usage ?? {}
  t.ok(memoryInUse > 3 && memoryInUse < peakMemory, `${memoryInUse} of ${peakMemory} MB`)
})

test('records that the handler reports or removes from the report count as failed, with their causes', async (t) => {
  const { results } = await run(t, { exportName: 'partly' })
  const causes = { 'RangeError: not in stock': 1, 'Error: fetch failed; caused by an object (code ECONNREFUSED)': 1 }
  t.match(results, [{ succeeded: 98, failed: 2 }])
  t.strictSame(textsOf(results[0]), causes)
})

test('of a chunk, only the records that failed count as failed', async (t) => {
  const { results } = await run(t, { exportName: 'failsInChunks' })
  t.match(results, [{ succeeded: 80, failed: 20 }])
})

for (const [exportName, problem, batches, succeeded] of [
  ['crashes', 'the process ended with exit code 3', 3, 200],
  ['diesAtOnce', 'the process ended with exit code 1 after its response. Is an `await` missing?', 2, 100],
] as const) {
  test(`the end of a process is a problem, and its batch fails (${exportName})`, async (t) => {
    const { results } = await run(t, { exportName }, { batches })
    t.equal(results.at(-1)?.problem, problem)
    t.strictSame(textsOf(results.at(-1)), { [problem]: 100 })
    t.equal(
      results.reduce((sum, each) => sum + each.succeeded, 0),
      succeeded,
    )
  })
}

test('a batch that times out fails', async (t) => {
  const { results } = await run(t, { exportName: 'hangs', timeout: 1000 })
  t.match(results, [{ succeeded: 0, failed: 100, problem: 'an invocation timed out after 1.00 seconds' }])
})

test('a process that blocks its event loop after the response is a problem of the next batch', async (t) => {
  const { results } = await run(t, { exportName: 'blocks', timeout: 5000 }, { batches: 2 })
  t.match(
    results[1]?.problem,
    /^an invocation timed out after 5\.00 seconds, because the process did not take the event/,
  )
})

test('a batch that the time budget ends is a problem', async (t) => {
  // No record starts in the last 5 s. 100 records of 50 ms take 5 s, one after the other.
  const { results } = await run(t, { exportName: 'slow', timeout: 7000 }, { concurrency: 1 })
  const { failed = 0, problem } = results[0] ?? {}
  t.ok(failed >= 58 && failed < 100, `${failed} failed`)
  t.equal(problem, `the library ended a batch early: ${failed} of 100 records had not started or finished in time`)
})

for (const exportName of ['plain', 'respondsEarly']) {
  test(`a handler that responds without the library is refused (${exportName})`, async (t) => {
    await t.rejects(run(t, { exportName }), {
      name: 'UsageError',
      message: /^the handler responded without middy-bounded-sqs-batch, so BOUNDED_SQS_BATCH_CONCURRENCY has no effect/,
    })
  })
}

test('a handler that fails without the library is refused, too, with its error', async (t) => {
  await t.rejects(run(t, { exportName: 'plainFails' }), {
    name: 'UsageError',
    message:
      /^the handler failed \(Error: All records failed processing\. .*\) without middy-bounded-sqs-batch, so BOUNDED_SQS/,
  })
})

test('control: once the library has received a batch, an error of an earlier middleware makes the batch fail', async (t) => {
  const { results } = await run(t, { exportName: 'failsBefore' }, { batches: 2 })
  t.match(results, [{ succeeded: 100 }, { failed: 100, problem: undefined }])
  t.strictSame(textsOf(results[1]), { 'Error: no secret': 100 })
})

for (const [exportName, succeeded, ran] of [
  ['allSettled', 100, 0],
  ['keepsTen', 100, 10],
  ['keepsTenThatFail', 90, 0],
] as const) {
  test(`a handler whose records succeed without running is refused (${exportName})`, async (t) => {
    await t.rejects(run(t, { exportName }), {
      name: 'UsageError',
      message:
        `expected eachRecord() or eachChunk() to run all ${succeeded} records that count as successful, got ${ran}. Pass ` +
        'the function for one record to eachRecord(), and use no middleware that removes records from the event',
    })
  })
}

test('a handler that changes, removes or ignores the variable of the concurrency is refused', async (t) => {
  const file = handlerFile('own-concurrency.ts')
  const refuse = (handler: Partial<FunctionOptions>, message: RegExp) =>
    t.rejects(run(t, { file, ...handler }), { name: 'UsageError', message })
  await refuse(
    { exportName: 'handler', env: { OWN_CONCURRENCY: '7' } },
    /^the handler changed BOUNDED_SQS_BATCH_CONCURRENCY: expected 10, got 7\./,
  )
  await refuse({ exportName: 'handler' }, /expected 10, got no value\./)
  await refuse({ exportName: 'bundled' }, /expected at most 10 records or chunks in flight, got 20\./)
})
