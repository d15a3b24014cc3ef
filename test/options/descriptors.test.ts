import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { fitDescriptors } from '../../src/scheduler/descriptors.ts'
import { withEnvironment } from '../support/environment.ts'
import { warned } from '../support/output.ts'

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))

/** The limit of a process is read from /proc, which only Linux has. */
const skip = fs.existsSync('/proc/self/limits') ? false : 'needs /proc'

/** Creates a middleware in a process with this descriptor limit. Returns the name, code and message of each warning. */
function warningCodes(limit: number, concurrency: number | string): unknown {
  const program = `
    const codes = []
    process.removeAllListeners('warning')
    process.on('warning', ({ name, code, message }) => codes.push([name, code, message]))
    const { boundedSqsBatch } = await import(${JSON.stringify(index)})
    const { adaptiveConcurrency } = await import(${JSON.stringify(index.replace('index.ts', 'adaptive/index.ts'))})
    boundedSqsBatch({ concurrency: ${concurrency} })
    setImmediate(() => console.log(JSON.stringify(codes)))
  `
  const shell = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`
  return JSON.parse(execFileSync('bash', ['-c', shell, process.execPath, program], { encoding: 'utf8' }))
}

t.test('a concurrency that does not fit under the descriptor limit emits one warning with a code', { skip }, (t) => {
  const warnings = warningCodes(200, 250) as string[][]
  t.match(warnings, [
    [
      'BoundedSqsBatchWarning',
      'BOUNDED_SQS_BATCH_DESCRIPTORS',
      /^The concurrency is 250, but this process can open only \d+ more files and sockets\. If each handler opens one, some will fail with EMFILE\. Lower the concurrency$/,
    ],
  ])
  t.equal(warnings.length, 1)
  t.end()
})

t.test('the warning about an adaptive concurrency says how many handlers it uses at most', { skip }, (t) => {
  const warnings = warningCodes(200, 'adaptiveConcurrency({ max: 250 })') as string[][]
  const [, , message] = warnings[0] as string[]
  const text =
    /^The concurrency is at most 250, but this process can open only (\d+) more files and sockets\. adaptiveConcurrency\(\) uses at most (\d+)$/
  const [, free, most] = text.exec(message as string) ?? []
  t.equal(most, free)
  t.ok(Number(most) > 100 && Number(most) < 200, `between 100 and 200: ${most}`)
  t.equal(warnings.length, 1)
  t.end()
})

t.test('descriptors that are already open are counted', { skip }, (t) => {
  t.match(warningCodes(200, 199), [['BoundedSqsBatchWarning', 'BOUNDED_SQS_BATCH_DESCRIPTORS']])
  t.end()
})

t.test('a concurrency that fits emits no warning', (t) => {
  t.strictSame(warningCodes(200, 100), [])
  t.strictSame(warningCodes(1024, 100), [])
  t.end()
})

t.test('an unknown limit or no limit emits no warning', async (t) => {
  function missing() {
    throw new Error('ENOENT')
  }
  const unlimited = () => 'Max open files            unlimited            unlimited            files'
  const { readFileSync } = fs
  t.teardown(() => {
    fs.readFileSync = readFileSync
  })
  for (const limits of [missing, unlimited]) {
    Object.assign(fs, { readFileSync: limits })
    t.strictSame(await warned(() => fitDescriptors(1_000_000, true)), [])
  }
})

/** Returns the concurrency that fits under this limit while this many descriptors are open, and the warnings. */
async function fitUnder(t: Test, limit: number, open: number, concurrency: number, isFixed: boolean) {
  const { readdirSync, readFileSync } = fs
  t.teardown(() => Object.assign(fs, { readdirSync, readFileSync }))
  Object.assign(fs, {
    readFileSync: () => `Max open files            ${limit}                 4096                 files`,
    readdirSync: () => new Array(open),
  })
  let fitting: number | undefined
  const warnings = await warned(() => {
    fitting = fitDescriptors(concurrency, isFixed)
  })
  return { fitting, warnings }
}

t.test('a concurrency as high as the number of free descriptors fits', async (t) => {
  t.strictSame(await fitUnder(t, 1024, 24, 1000, false), { fitting: 1000, warnings: [] })
  const { fitting, warnings } = await fitUnder(t, 1024, 24, 1001, false)
  t.equal(fitting, 1000)
  t.match(warnings, [
    {
      code: 'BOUNDED_SQS_BATCH_DESCRIPTORS',
      message:
        'The concurrency is at most 1001, but this process can open only 1000 more files and sockets. ' +
        'adaptiveConcurrency() uses at most 1000',
    },
  ])
})

t.test('if no descriptor is free, the adaptive concurrency is 1', async (t) => {
  for (const open of [1024, 1030]) t.equal((await fitUnder(t, 1024, open, 500, false)).fitting, 1, `${open} are open`)
})

t.test('on Managed Instances, each worker thread warns only about its own concurrency', async (t) => {
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: '64', AWS_LAMBDA_NODEJS_WORKER_COUNT: '16' })
  t.strictSame(await fitUnder(t, 4096, 24, 500, false), { fitting: 500, warnings: [] })
})
