import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { fitDescriptors } from '../../src/scheduler/descriptors.ts'
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

t.test('on Managed Instances the worker threads of the process share its descriptors', { skip }, async (t) => {
  const { readFileSync } = fs
  const before = { ...process.env }
  t.teardown(() => {
    fs.readFileSync = readFileSync
    process.env = before
  })
  function withCpuMax(cpuMax: string | undefined): void {
    function read(path: string) {
      if (path === '/proc/self/limits') return 'Max open files            1024            4096            files'
      if (cpuMax === undefined) throw new Error('ENOENT')
      return cpuMax
    }
    Object.assign(fs, { readFileSync: read })
  }
  const cases: [cpuMax: string | undefined, workers: string | undefined, threads: number][] = [
    ['200000 100000\n', undefined, 16],
    ['150000 100000\n', undefined, 16],
    ['100000 100000\n', '4', 4],
    ['what', undefined, 8],
    [undefined, undefined, 8],
    ['max 100000\n', undefined, 8 * cpus().length],
  ]
  for (const [cpuMax, workers, threads] of cases) {
    withCpuMax(cpuMax)
    process.env = { ...before, AWS_LAMBDA_MAX_CONCURRENCY: '64' }
    if (workers) process.env.AWS_LAMBDA_NODEJS_WORKER_COUNT = workers
    const fits = Math.floor(900 / threads)
    t.strictSame(await warned(() => fitDescriptors(fits, true)), [], `${fits} in each of ${threads} threads`)
    t.match(await warned(() => fitDescriptors(Math.ceil(1025 / threads), true)), [
      {
        code: 'BOUNDED_SQS_BATCH_DESCRIPTORS',
        message: `in each of ${threads} worker threads, but this process can open only`,
      },
    ])
    let fitting = 0
    const [adaptive] = await warned(() => {
      fitting = fitDescriptors(Math.ceil(1025 / threads), false)
    })
    const { message } = adaptive as Error
    t.equal(fitting, Math.floor(Number(/only (\d+) more/.exec(message)?.[1]) / threads))
    t.match(message, `adaptiveConcurrency() uses at most ${fitting}`)
  }
  withCpuMax('200000 100000')
  process.env = before
  t.strictSame(await warned(() => fitDescriptors(900, true)), [], 'not on Managed Instances, a process has one thread')
})
