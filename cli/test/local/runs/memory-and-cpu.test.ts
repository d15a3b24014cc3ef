import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openUsage } from '../../../src/local/in-function/resource-usage.ts'
import { inProcess } from '../../support/in-process.ts'
import { folder, handlerFile } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

const HANDLER = handlerFile('uses.mjs')
/** Two deliveries, and a timeout that no invocation reaches. */
const small = [
  '--messages',
  '10',
  '--batch-size',
  '10',
  '--max-receives',
  '2',
  '--retry-after',
  '0',
  '--timeout',
  '300',
]

async function run(args: readonly string[], env = {}) {
  const { code, stdout, stderr } = await inProcess(['local', ...small, '--idle', '0', '--json', ...args], { env })
  return { code, stderr, ...JSON.parse(stdout) }
}

test('400 MB of Buffers with --memory 256: every invocation is a crash', async (t) => {
  const result = await run([`${HANDLER}#memory`, '--memory', '256'], { MB: '400' })
  t.match(result, { code: 1, verdict: 'failed', processed: 0, deadLettered: 10, crashes: 2, failedInvocations: 2 })
  for (const reason of Object.keys(result.reasons)) {
    const [, used] = /^out of memory: the process used (\d+) MB of 256 MB$/.exec(reason) ?? []
    t.ok(Number(used) > 400, reason) // Node itself needs 40 to 120 MB more
  }
  t.strictSame(
    Object.values<number>(result.reasons).reduce((sum, count) => sum + count, 0),
    2,
  )
})

test('the memory of a template is a limit, too', async (t) => {
  const template = templateFile(
    t,
    sam({ function: { MemorySize: 256 }, queue: { VisibilityTimeout: 1800 }, mapping: { BatchSize: 10 } }),
  )
  const result = await run([`${HANDLER}#memory`, '--template', template, '--window', '0'], { MB: '400' })
  t.match(result, { code: 1, processed: 0, deadLettered: 10 })
})

test('more than the default memory is only a warning, because nobody has set it', async (t) => {
  const result = await run([`${HANDLER}#memory`], { MB: '700' })
  t.match(result, { code: 0, verdict: 'passed', processed: 10, crashes: 0 })
  t.match(
    result.stderr,
    /^warning \| the process used up to (?:[7-9]\d\d|\d{4}) MB of memory, and the function has 512 MB by default\. Lambda ends a process that needs more: use --memory or /m,
  )
})

test('a TypeScript handler may use 20 MB more', async (t) => {
  const [ts, mjs] = [join(folder(t), 'h.ts'), join(folder(t), 'h.mjs')]
  // 110 % of 300 MB is 330 MB. The handler fills its memory up to 340 MB.
  const source =
    'const kept = []\nexport const handler = async () => { while (process.memoryUsage.rss() < 340 * 2 ** 20) kept.push(Buffer.alloc(2 ** 20, 1)) }'
  writeFileSync(ts, source.replace('[]', '[] as Buffer[]'))
  writeFileSync(mjs, source)
  t.match(await run([ts, '--memory', '300']), { code: 0, crashes: 0, processed: 10 })
  t.match(await run([mjs, '--memory', '300']), { code: 1, crashes: 2, processed: 0 })
})

/** Time and CPU time that pass only as the handler says. */
const CPU_CLOCK = { NODE_OPTIONS: `--import=${handlerFile('cpu-clock.mjs')}` }

test('16 s of CPU time with 128 MB and a timeout of 100 s: the run fails with both times', async (t) => {
  const flags = ['--memory', '128', '--timeout', '100']
  const result = await run([`${HANDLER}#cpu`, ...flags], { ...CPU_CLOCK, CPU_MS: '16000' })
  t.match(result, { code: 1, verdict: 'failed', processed: 10, wouldTimeOut: 1, timeouts: 0 })
  t.equal(
    result.reason,
    '1 invocation would time out on Lambda (raise the memory or the timeout, or lower the batch size)',
  )
  const both = /used 16\.0 s of CPU time.*\. With 128 MB, .* at least 221\.1 s, and the timeout is 100\.0 s$/
  t.match(result.failures, [both])
})

for (const [name, body, expected] of [
  ['many short blocks', 'burn(600); await sleep(20)', { code: 0, wouldTimeOut: 0 }],
  ['one block of the thread', 'if (record.body.includes(":7}")) burn(12000)', { code: 1, wouldTimeOut: 1 }],
] as const) {
  test(`a batch of this library that needs more than twice the timeout, with ${name}`, async (t) => {
    const file = join(folder(t), 'h.mjs')
    const library = join(import.meta.dirname, '../../../../dist/index.js')
    writeFileSync(
      file,
      `import { setTimeout as sleep } from 'node:timers/promises'
import { boundedSqsBatch, eachRecord } from '${library}'
import middy from '${import.meta.resolve('@middy/core')}'
export const handler = middy().use(boundedSqsBatch({ concurrency: 1 })).handler(eachRecord(async (record) => { ${body} }))`,
    )
    const { code, wouldTimeOut, stderr } = await run([file, '--memory', '150', '--timeout', '60'], CPU_CLOCK)
    t.strictSame({ code, wouldTimeOut }, expected, stderr)
    const what =
      code === 0 ? 'would end early on Lambda, and the rest of its batch would be redelivered' : 'would time out'
    t.match(stderr, `warning | 1 invocation ${what}`)
  })
}

test('the CPU time of an invocation and its longest block are measured', (t) => {
  const usage = openUsage()
  usage.start()
  const [start, before] = [performance.now(), process.cpuUsage()]
  const used = () => process.cpuUsage(before)
  while (used().user + used().system < 50_000 || performance.now() - start < 50);
  const { cpu, longestBlock } = usage.take()
  t.ok(cpu >= 50 && longestBlock >= 40, `${cpu} ms, ${longestBlock} ms`)
  usage.start()
  t.ok(usage.take().cpu < 50, 'the next invocation is measured for itself')
  t.end()
})
