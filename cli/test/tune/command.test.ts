import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { TuneResult } from '../../src/tune/result.ts'
import { inProcess } from '../support/in-process.ts'
import { command, folder, until } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { downstream, IO_BOUND, sampleFile, tuned } from '../support/tune.ts'

test('the JSON output for a service has the measurements, the recommendation and the settings', async (t) => {
  const service = await downstream(t, 40, 50)
  const flags = ['--concurrency', '20', '--batch-size', '100', '--memory', '1769,512', '--time', '30s', '--json']
  const { code, stdout, stderr } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: service.url },
  })
  t.equal(code, 0, stderr)
  const result: TuneResult = JSON.parse(stdout)
  const { measurements, combinations, best, settings, equal } = result
  t.match(result, { handler: IO_BOUND, environments: 1, batchSize: 100, optimize: 'balanced', isIncomplete: false })
  t.match(measurements, [{ concurrency: 20, failedShare: 0, problem: undefined }])
  const { goodput = 0, lowest = 0, highest = 0, rounds } = measurements[0] ?? {}
  t.ok(0 < lowest && lowest <= goodput && goodput <= highest && highest <= 20 / 0.045, `${lowest} to ${highest}`)
  t.equal(rounds, 5, 'nothing else is to be compared')
  t.strictSame(
    combinations.map(({ memory, concurrency }) => `${memory} × ${concurrency}`),
    ['512 × 20', '1769 × 20'],
  )
  t.strictSame(settings, {
    MemorySize: best?.memory,
    BOUNDED_SQS_BATCH_CONCURRENCY: 20,
    VisibilityTimeout: 181,
  })
  t.strictSame(equal, [20])
  t.match(
    stderr,
    /^up to 30 s, 1 environment, batches of 100, a timeout of 30 s; your handler really runs, and calls other systems$/m,
  )
  t.match(stderr, /^concurrency 20 · \d+ s left · (no result yet|best so far: \d+ records\/s with concurrency 20)$/m)
})

/** A database that accepts this number of connections, and refuses others. `peak` counts processes with a connection. */
async function startDatabase(t: Test, capacity: number) {
  const open = new Map<Socket, string>()
  const peak = { connections: 0, processes: 0 }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (open.size >= capacity) return socket.end('too many')
    open.set(socket, '')
    peak.connections = Math.max(peak.connections, open.size)
    socket.on('close', () => open.delete(socket))
    socket.on('data', (pid) => {
      open.set(socket, String(pid))
      peak.processes = Math.max(peak.processes, new Set([...open.values()].filter((each) => each !== '')).size)
    })
    return socket.write('welcome')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of open.keys()) socket.destroy()
    server.close()
  })
  return { port: String((server.address() as AddressInfo).port), peak }
}

test('with a database of 40 connections, two environments run at once, and none that needs more is recommended', async (t) => {
  const { port, peak } = await startDatabase(t, 40)
  const template = templateFile(t, sam({ mapping: { BatchSize: 100, ScalingConfig: { MaximumConcurrency: 9 } } }))
  const flags = ['--template', template, '--concurrency', '40..44', '--memory', '1769', '--time', '30s']
  const { code, stdout } = await command(['tune', `${tuned}#database`, ...sampleFile(t), ...flags], {
    env: { DATABASE_PORT: port },
  })
  t.equal(code, 0, stdout)
  t.strictSame(peak, { connections: 40, processes: 2 })
  const text = stdout.slice(stdout.indexOf('Concurrency'))
  t.match(text, /^Concurrency (22|21 and 22): [\d,]+ of [\d,]+ records failed: Error: too many connections\n┌/)
  t.match(text, /\nRecommendation: 1,769 MB and a concurrency of 20 in each of 2 environments: /)
  t.notMatch(text, /Equal within 5 %:.*2[12]/)
  t.match(text, ' MaximumConcurrency is 9: if the environments share a limit, use a concurrency of 4. ')
  t.match(stdout, /^The handler received [\d,]{3,} records, with the warm-up\.$/m)
})

test('a handler that keeps 20 kB of each record has a memory that grows', async (t) => {
  const flags = ['--concurrency', '20', '--batch-size', '100', '--time', '30s', '--json']
  const { stdout } = await command(['tune', `${tuned}#leaks`, ...sampleFile(t), ...flags])
  const { growth, warnings }: TuneResult = JSON.parse(stdout)
  t.ok(Number(growth) > 19_500 && Number(growth) < 22_000, `${growth}`)
  t.match(warnings[0], /^The memory grows by 2\d(\.\d)? kB a record: [\d,]+ MB are full after about [\d,]+ records\./)
})

test('if every record fails, the exit code is 1, and the cause is the first and the last line', async (t) => {
  const flags = ['--concurrency', '10..40', '--batch-size', '50', '--time', '30s']
  const { code, stdout } = await command(['tune', `${tuned}#fails`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  t.match(stdout, /^Concurrency 10 and \d+: ([\d,]+) of \1 records failed: Error: downstream returned 503\n┌/m)
  t.match(
    stdout,
    /\nRecommendation: No combination can be used: no record succeeded: Error: downstream returned 503\.\n$/,
  )
})

test('Ctrl-C ends the run, and the results so far are printed, written and reported as incomplete', async (t) => {
  const report = join(folder(t), 'report.html')
  const flags = ['--concurrency', '10..400', '--batch-size', '400', '--memory', '1769', '--report', report]
  const { code, stdout } = await command(['tune', tuned, ...sampleFile(t), ...flags], {
    during: async (child, output) => {
      await until(() => output.stdout.includes('best so far'))
      child.kill('SIGINT')
    },
  })
  t.equal(code, 1)
  t.match(stdout, /^Recommendation: 1,769 MB and a concurrency of \d+: /m)
  t.match(stdout, /^incomplete: the run was interrupted$/m)
  t.match(readFileSync(report, 'utf8'), '<li>The run was interrupted.</li>')
})

test('settings and environment variables of a template are used, and flags override them', async (t) => {
  const service = await downstream(t, 1000, 1)
  const template = templateFile(
    t,
    sam({
      function: { Timeout: 20, MemorySize: 640, Environment: { Variables: { DOWNSTREAM_URL: service.url } } },
      mapping: { BatchSize: 50, MaximumBatchingWindowInSeconds: 3 },
      queue: { VisibilityTimeout: 130 },
    }),
  )
  const flags = ['--template', template, '--timeout', '10', '--concurrency', '20', '--time', '30s', '--json']
  const { code, stdout, stderr } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags])
  t.equal(code, 0, stderr)
  t.match(
    stderr,
    `settings of Handler/Orders in ${template}: batch size 50, window 3 s, memory 640 MB, FIFO false, environment variables DOWNSTREAM_URL\n`,
  )
  t.match(stderr, `${template} has no MaximumConcurrency, so tune runs one environment\n`)
  t.match(stderr, /^up to 30 s, 1 environment, batches of 50, a timeout of 10 s;/m)
  const { combinations, environments, batchSize, settings }: TuneResult = JSON.parse(stdout)
  t.strictSame({ environments, batchSize }, { environments: 1, batchSize: 50 })
  t.strictSame([...new Set(combinations.map(({ memory }) => memory))], [128, 256, 512, 640, 1024, 1769])
  t.equal(settings?.VisibilityTimeout, 63)
})

test('wrong usage exits with code 2 and says what is wrong', async (t) => {
  const sample = sampleFile(t)
  async function refuse(args: string[], message: string | RegExp) {
    const { code, stderr } = await inProcess(['tune', ...args])
    t.match(stderr, message)
    t.equal(code, 2, stderr)
  }
  await refuse([tuned], "required option '--messages-file <file>' not specified")
  await refuse(['nope.ts', ...sample], 'there is no file nope.ts')
  await refuse([`${tuned}#nope`, ...sample], /tuned\.ts#nope could not be loaded: .*there is no export named `nope`/)
  await refuse([`${tuned}#plain`, ...sample, '--batch-size', '10'], 'the handler responded without middy-bounded-sqs')
  for (const time of ['29s', '61m', '3', '1.5m']) {
    await refuse([tuned, ...sample, '--time', time], 'Expected a time from 30s to 1h, such as 90s, 3m or 1h.')
  }
  for (const range of ['40..10', '1..x', '1..100001']) {
    const expected = 'Expected a whole number from 1 to 100,000, or two, the lower one first, such as 10..400.'
    await refuse([tuned, ...sample, '--concurrency', range], expected)
  }
  await refuse([tuned, ...sample, '--memory', '128,64'], 'Expected a whole number from 128 to 10,240')
  await refuse([tuned, ...sample, '--parameter', 'A=1'], '--parameter and --template-function need --template')
  await refuse([tuned, ...sample, '--report', '/nope/x.html'], '--report /nope/x.html cannot be written (ENOENT)')
  t.notOk(existsSync('/nope'))
  const file = join(folder(t), 'orders.mjs')
  writeFileSync(file, 'export {}')
  await refuse([tuned, ...sample, '--report', file], `--report ${file} would replace a file that is not an .html file`)
  t.equal(readFileSync(file, 'utf8'), 'export {}')
  const mapping = { BatchSize: 10, MaximumBatchingWindowInSeconds: 0 }
  const fifo = templateFile(t, sam({ mapping, queue: { FifoQueue: true }, dead: { FifoQueue: true } }))
  await refuse([tuned, ...sample, '--template', fifo, '--batch-size', '11'], '--batch-size 11 is too large')
})
