import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { command, folder, handlerFile } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'

const HANDLER = handlerFile('uses.mjs')
const small = ['--messages', '10', '--batch-size', '10', '--idle', '0', '--retry-after', '0', '--json']

async function run(args: readonly string[], env = {}) {
  const { code, stdout, stderr } = await command(['local', ...args, ...small], { env })
  return { code, stderr, ...JSON.parse(stdout) }
}

test('400 MB of Buffers with --memory 256: every invocation is a crash', async (t) => {
  const result = await run([`${HANDLER}#memory`, '--memory', '256'], { MB: '400' })
  t.match(result, { code: 1, verdict: 'failed', processed: 0, deadLettered: 10, crashes: 5, failedInvocations: 5 })
  for (const reason of Object.keys(result.reasons)) {
    t.match(reason, /^out of memory: the process used 4\d\d MB of 256 MB$/)
  }
  t.strictSame(
    Object.values<number>(result.reasons).reduce((sum, count) => sum + count, 0),
    5,
  )
})

test('the memory of a template is a limit, too', async (t) => {
  const template = templateFile(t, sam({ function: { MemorySize: 256, Timeout: 30 }, mapping: { BatchSize: 10 } }))
  const result = await run([`${HANDLER}#memory`, '--template', template, '--window', '0'], { MB: '400' })
  t.match(result, { code: 1, processed: 0, deadLettered: 10 })
})

test('more than the default memory is only a warning, because nobody has set it', async (t) => {
  const result = await run([`${HANDLER}#memory`], { MB: '700' })
  t.match(result, { code: 0, verdict: 'passed', processed: 10, crashes: 0 })
  t.match(
    result.stderr,
    /^warning \| the process used up to 7\d\d MB of memory, more than the default of 512 MB\. Lambda ends such a process: set --memory or --template to the memory of the function$/m,
  )
})

test('above 90 % of the memory, the run passes with a warning', async (t) => {
  const base = await run([`${HANDLER}#memory`, '--memory', '1000'], { MB: '1' })
  t.notMatch(base.stderr, 'of memory')
  const result = await run([`${HANDLER}#memory`, '--memory', '1000'], { MB: '920' })
  t.match(result, { code: 0, processed: 10 })
  t.match(result.stderr, /^warning \| the process used up to \d+ MB of memory, and the function has 1000 MB\./m)
})

test('a TypeScript handler may use 20 MB more', async (t) => {
  const [ts, mjs] = [join(folder(t), 'h.ts'), join(folder(t), 'h.mjs')]
  // 110 % of 300 MB is 330 MB. The handler fills its memory up to 340 MB.
  const source =
    'const kept = []\nexport const handler = async () => { while (process.memoryUsage.rss() < 340 * 2 ** 20) kept.push(Buffer.alloc(2 ** 20, 1)) }'
  writeFileSync(ts, source.replace('[]', '[] as Buffer[]'))
  writeFileSync(mjs, source)
  t.match(await run([ts, '--memory', '300']), { code: 0, crashes: 0, processed: 10 })
  t.match(await run([mjs, '--memory', '300']), { code: 1, crashes: 5, processed: 0 })
})

test('1.2 s of CPU time with 128 MB and a timeout of 16 s: a warning with both times', async (t) => {
  const result = await run([`${HANDLER}#cpu`, '--memory', '128', '--timeout', '16'], { CPU_MS: '1200' })
  t.match(result, { verdict: 'passed', timeouts: 0 })
  t.match(
    result.stderr,
    /^warning \| 1 invocation may time out on Lambda\. The slowest used 1\.\d s of CPU time\. With 128 MB, a function has 7 % of a core, so this takes at least 1\d\.\d s, and the timeout is 16\.0 s$/m,
  )
})

// On a busy machine, the invocations may take six times as long as they use the CPU.
test('1.6 s of CPU time with 128 MB and a timeout of 10 s: the run fails with both times', async (t) => {
  const result = await run([`${HANDLER}#cpu`, '--memory', '128', '--timeout', '10'], { CPU_MS: '1600' })
  t.match(result, { code: 1, verdict: 'failed', processed: 10, wouldTimeOut: 1, timeouts: 0 })
  t.equal(
    result.reason,
    '1 invocation would time out on Lambda (raise the memory or the timeout, or lower the batch size)',
  )
  const both = /used 1\.\d s of CPU time.*\. With 128 MB, .* at least 2\d\.\d s, and the timeout is 10\.0 s$/
  t.match(result.failures, [both])
})

for (const [name, body, expected] of [
  ['many short records', 'burn(60)', { code: 0, wouldTimeOut: 0 }],
  ['one block of the thread', 'if (record.body.includes(":7}")) burn(1200)', { code: 1, wouldTimeOut: 1 }],
] as const) {
  test(`a batch of this library that needs more than twice the timeout, with ${name}`, async (t) => {
    const file = join(folder(t), 'h.mjs')
    const library = join(import.meta.dirname, '../../../dist/index.js')
    writeFileSync(
      file,
      `import { boundedSqsBatch, eachRecord } from '${library}'
import middy from '${join(import.meta.dirname, '../../../node_modules/@middy/core/index.js')}'
const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
function burn(ms) { const end = used() + ms; while (used() < end); }
export const handler = middy().use(boundedSqsBatch()).handler(eachRecord(async (record) => { ${body} }))`,
    )
    const args = [
      '--messages',
      '20',
      '--batch-size',
      '20',
      '--idle',
      '0',
      '--json',
      '--memory',
      '150',
      '--timeout',
      '6',
    ]
    // What tap loads into each process does not fit into 128 MB together with the library.
    const { code, stdout, stderr } = await command(['local', file, ...args], { env: { NODE_OPTIONS: '' } })
    const { wouldTimeOut } = JSON.parse(stdout || '{}')
    t.strictSame({ code, wouldTimeOut }, expected, stderr)
    const what =
      code === 0 ? 'would end early on Lambda, and the rest of its batch would be redelivered' : 'would time out'
    t.match(stderr, `warning | 1 invocation ${what}`)
  })
}

test('control: the same CPU time with 1,769 MB is no warning', async (t) => {
  const result = await run([`${HANDLER}#cpu`, '--memory', '1769', '--timeout', '60'], { CPU_MS: '1200' })
  t.match(result, { verdict: 'passed' })
  t.notMatch(result.stderr, 'CPU')
})
