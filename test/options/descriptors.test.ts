import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { checkDescriptors } from '../../src/scheduler/descriptors.ts'
import { withEnvironment } from '../support/environment.ts'
import { warned } from '../support/output.ts'

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))

/** The limit of a process is read from /proc, which only Linux has. */
const skip = fs.existsSync('/proc/self/limits') ? false : 'needs /proc'

/** Creates a middleware in a process with this descriptor limit. Returns the name, code and message of each warning. */
function warningCodes(limit: number, concurrency: number): unknown {
  const program = `
    const codes = []
    process.removeAllListeners('warning')
    process.on('warning', ({ name, code, message }) => codes.push([name, code, message]))
    const { boundedSqsBatch } = await import(${JSON.stringify(index)})
    boundedSqsBatch({ concurrency: ${concurrency} })
    setImmediate(() => console.log(JSON.stringify(codes)))
  `
  const shell = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`
  return JSON.parse(execFileSync('bash', ['-c', shell, process.execPath, program], { encoding: 'utf8' }))
}

t.test(
  'a concurrency that does not fit under the descriptor limit emits one warning with a code',
  { skip },
  async (t) => {
    const warnings = warningCodes(200, 250) as string[][]
    t.match(warnings, [
      [
        'BoundedSqsBatchWarning',
        'BOUNDED_SQS_BATCH_DESCRIPTORS',
        /^The concurrency is 250, but this process can open only \d+ more files and sockets\. If each handler opens one, some will fail with EMFILE\. Lower the concurrency$/,
      ],
    ])
    t.equal(warnings.length, 1)
  },
)

t.test('descriptors that are already open are counted', { skip }, async (t) => {
  t.match(warningCodes(200, 199), [['BoundedSqsBatchWarning', 'BOUNDED_SQS_BATCH_DESCRIPTORS']])
})

t.test('a concurrency that fits emits no warning', async (t) => {
  t.strictSame(warningCodes(200, 100), [])
  t.strictSame(warningCodes(1024, 100), [])
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
    t.strictSame(await warned(() => checkDescriptors(1_000_000)), [])
  }
})

/** Returns the warnings about this concurrency, under this limit and while this many descriptors are open. */
async function warningsUnder(t: Test, limit: number, open: number, concurrency: number) {
  const { readdirSync, readFileSync } = fs
  t.teardown(() => Object.assign(fs, { readdirSync, readFileSync }))
  Object.assign(fs, {
    readFileSync: () => `Max open files            ${limit}                 4096                 files`,
    readdirSync: () => new Array(open),
  })
  return warned(() => checkDescriptors(concurrency))
}

t.test('a concurrency as high as the number of free descriptors fits', async (t) => {
  t.strictSame(await warningsUnder(t, 1024, 24, 1000), [])
  const warnings = await warningsUnder(t, 1024, 24, 1001)
  t.match(warnings, [
    {
      code: 'BOUNDED_SQS_BATCH_DESCRIPTORS',
      message:
        'The concurrency is 1001, but this process can open only 1000 more files and sockets. ' +
        'If each handler opens one, some will fail with EMFILE. Lower the concurrency',
    },
  ])
})

t.test('on Managed Instances, each worker thread warns only about its own concurrency', async (t) => {
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: '64', AWS_LAMBDA_NODEJS_WORKER_COUNT: '16' })
  t.strictSame(await warningsUnder(t, 4096, 24, 500), [])
})
