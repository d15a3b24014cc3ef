/** The arithmetic of the page "Which settings?" agrees with AWS, with the package and with the other pages. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { parse } from 'yaml'
import { PRICES_OF } from '../../cli/src/tune/prices.ts'
import {
  HEADROOM,
  POLLERS,
  recommend,
  recordsInTime,
  recordsThatFit,
  visibilityTimeout,
} from '../../docs/.vitepress/settings/recommend.ts'
import { codeFor } from '../../docs/.vitepress/settings/templates.ts'
import { dollars, duration, fillHint, problems, settingRows } from '../../docs/.vitepress/settings/texts.ts'
import {
  CASES,
  FIELDS,
  type FieldName,
  fromQuery,
  INITIAL,
  isValid,
  LIMIT_KINDS,
  problemOf,
  toQuery,
  type Workload,
} from '../../docs/.vitepress/settings/workload.ts'
import { doctor, NOTHING, project } from '../support/pages.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const settingsFor = (changes: Partial<Workload>) => recommend({ ...INITIAL, ...changes }).settings
const estimateFor = (changes: Partial<Workload>) => recommend({ ...INITIAL, ...changes }).estimate

/** Any valid workload. Most values are small, as in practice. */
const workloads: fc.Arbitrary<Workload> = fc
  .record({
    rate: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0.01, max: 100_000, noNaN: true })),
    p50: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 600_000 })),
    spread: fc.double({ min: 1, max: 20, noNaN: true }),
    body: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 1_048_576 })),
    timeout: fc.integer({ min: 1, max: 900 }),
    limitKind: fc.constantFrom(...LIMIT_KINDS),
    limit: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 100_000 })),
    cpu: fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.integer({ min: 0, max: 60_000 })),
    backlog: fc.integer({ min: 1, max: 1_000_000_000 }),
  })
  .map(({ spread, ...workload }) => ({ ...workload, p95: Math.min(600_000, workload.p50 * spread) }))
  .filter(isValid)

t.test('every result has values that AWS accepts, and respects the limit of the downstream', async () => {
  fc.assert(
    fc.property(workloads, (workload) => {
      const { settings, estimate } = recommend(workload)
      const { concurrency, rateLimit, batchSize, window, maximumConcurrency, timeout } = settings
      const isWithin = (value: number, min: number, max: number) =>
        Number.isInteger(value) && value >= min && value <= max
      // Milliseconds for each record, if all are slow. A batch takes half of the time at most.
      const slowest = Math.max(
        workload.p95 / concurrency,
        workload.cpu,
        rateLimit ? rateLimit.interval / rateLimit.limit : 0,
      )
      const checks = {
        concurrency: isWithin(concurrency, 1, 100),
        batchSize: isWithin(batchSize, 1, 10_000),
        window: isWithin(window, 1, 300),
        maximumConcurrency: isWithin(maximumConcurrency, 2, 1_000),
        timeout: isWithin(timeout, 1, 900) && timeout >= workload.timeout,
        visibilityTimeout: settings.visibilityTimeout === 6 * timeout + window,
        eventFits: batchSize * (workload.body + 710) <= 6 * 1024 * 1024,
        endsInTime: batchSize === 1 || (batchSize * slowest) / 1000 <= timeout / 2,
        batch: isWithin(estimate.batch, 1, batchSize),
        cost: estimate.cost > 0 && Number.isFinite(estimate.cost),
        backlog: estimate.backlog > 0 && estimate.backlog < Infinity === estimate.capacity > workload.rate,
        callsAtOnce:
          workload.limitKind !== 'calls at once' || concurrency * maximumConcurrency <= Math.max(workload.limit, 2),
        callsPerSecond:
          workload.limitKind !== 'calls per second' ||
          (rateLimit !== undefined &&
            (1000 * rateLimit.limit * maximumConcurrency) / rateLimit.interval <= workload.limit &&
            isWithin(rateLimit.limit, 1, workload.limit) &&
            isWithin(rateLimit.interval, 1, 3_600_000)),
      }
      const failed = Object.entries(checks).filter(([, holds]) => !holds)
      if (failed.length > 0) throw new Error(`${failed} of ${JSON.stringify({ workload, settings, estimate })}`)
    }),
    { numRuns: 300 },
  )
})

t.test('100 records in 5 s need 100 messages a second, because each of five pollers gathers its own', async (t) => {
  t.match(recommend(INITIAL), { settings: { batchSize: 100, window: 5 }, estimate: { batch: 100, fillRate: 100 } })
  for (const [rate, batch] of [
    [50, 50],
    [20, 20],
    [3, 3],
    [0.1, 1],
  ] as const) {
    t.match(recommend({ ...INITIAL, rate }), { settings: { window: 5 }, estimate: { batch, fillRate: 100 } })
  }
  t.match(recommend({ ...INITIAL, rate: 400 }), { settings: { window: 2 }, estimate: { batch: 100, fillRate: 250 } })
  t.equal(fillHint(INITIAL, recommend(INITIAL)), 'Batches are full.')
  const few = { ...INITIAL, rate: 20 }
  t.equal(fillHint(few, recommend(few)), 'Batches are full from 100 messages per second on, or with a window of 25 s.')
})

t.test('the visibility timeout is that of each row of the SAM template', async (t) => {
  const { Mappings } = parse(read('examples/deploy/sam/template.yaml').replaceAll(/!(Ref|GetAtt|FindInMap|Sub)\b/g, ''))
  const rows = Object.entries<Record<string, number>>(Mappings.VisibilityTimeout)
  t.equal(rows.length, 5)
  for (const [timeout, columns] of rows) {
    for (const [window, expected] of Object.entries(columns)) {
      t.equal(visibilityTimeout(Number(timeout), Number(window)), expected)
    }
  }
})

t.test('the formula and the examples of docs/batch-size.md', async (t) => {
  const page = read('docs/batch-size.md')
  const limits = { concurrency: 100, perSecond: Infinity, timeout: 60, cpu: 0.58 }
  t.equal(recordsInTime(100, { ...limits, p95: 1_000 }), 5_900)
  t.match(page, '100 × 59 ÷ 1 = 5,900 records of 1 s. With the margin, choose 2,950')
  t.equal(recordsThatFit(500), 5_199)
  t.ok(page.includes('about 5,200 records with bodies of 500 bytes'))
  t.match(page, 'Start with the value of `concurrency`')
  t.match(settingsFor({ p95: 5_000 }), { concurrency: 100, batchSize: 100, timeout: 60, memory: 512 })
})

t.test(
  'the costs of docs/batch-size.md: a record takes 100 ms on average, and 1 % take longer than 400 ms',
  async (t) => {
    const page = read('docs/batch-size.md')
    const { cost } = estimateFor({ p50: 78.1, p95: 247.8, body: 200 })
    t.match(page, new RegExp(`^\\| 100 \\| \\${dollars(cost)} `, 'm'))
    // Batches of ten, because more messages do not arrive. The page has full batches of this size, and the same times.
    const { batch, cost: costOfTen } = estimateFor({ p50: 78.1, p95: 247.8, body: 200, rate: 10 })
    t.equal(batch, 10)
    t.match(page, new RegExp(`^\\| 10 \\| \\${dollars(costOfTen)} `, 'm'))
  },
)

t.test('the example of docs/rate-limit.md: a service that takes 14 records a second', async (t) => {
  const settings = settingsFor({ limitKind: 'calls per second', limit: 14, p50: 500, p95: 2_000, rate: 10 })
  t.match(settings, { maximumConcurrency: 2, rateLimit: { limit: 7, interval: 1_000 }, concurrency: 14 })
  const most = recordsInTime(404, { concurrency: 14, perSecond: 7, timeout: 60, p95: 2_000, cpu: 0.58 })
  t.equal(most, 404)
  t.match(read('docs/rate-limit.md'), '7 × (60 − 0.25 − 2) = 404')
  t.ok(settings.batchSize <= most / 2, `${settings.batchSize}`)
  // Less than one record a second for each environment.
  t.match(settingsFor({ limitKind: 'calls per second', limit: 1 }), { rateLimit: { limit: 1, interval: 2_000 } })
})

t.test('slow records, large bodies, much CPU, and a limit of calls', async (t) => {
  t.match(settingsFor({ p95: 40_000 }), { timeout: 81, visibilityTimeout: 6 * 81 + 5, batchSize: 100 })
  t.match(settingsFor({ body: 1_048_576 }), { batchSize: 5 })
  t.match(settingsFor({ cpu: 5 }), { memory: 1_769 })
  t.match(settingsFor({ cpu: 2 }), { memory: 1_024 })
  // 29.5 s of CPU time.
  t.match(settingsFor({ cpu: 1_000 }), { batchSize: 29, memory: 1_769 })
  t.match(settingsFor({ limitKind: 'calls at once', limit: 20 }), { concurrency: 10, maximumConcurrency: 2 })
  // Two environments with 100 calls each are enough for 100 messages a second, but not for 5,000.
  t.match(settingsFor({ limitKind: 'calls at once', limit: 1_000 }), { concurrency: 100, maximumConcurrency: 2 })
  t.match(settingsFor({ limitKind: 'calls at once', limit: 1_000, rate: 5_000 }), { maximumConcurrency: 10 })
})

t.test('a backlog: twice the messages arrive, so it takes longer; too many arrive, so it never ends', async (t) => {
  const backlog = (rate: number) => estimateFor({ limitKind: 'calls at once', limit: 20, rate }).backlog
  t.ok(backlog(10) < backlog(20) && backlog(20) < Infinity)
  const workload: Workload = { ...INITIAL, limitKind: 'calls at once', limit: 2, rate: 100 }
  const recommendation = recommend(workload)
  t.equal(recommendation.estimate.backlog, Infinity)
  t.match(problems(workload, recommendation), [
    /^The queue grows: 100 messages arrive in a second, and at most about \d+ /,
  ])
  t.equal(duration(Infinity), 'never')
  t.strictSame([9.6, 90, 5_400, 200_000].map(duration), ['10 s', '1.5 min', '1.5 h', '2.3 days'])
  // 1,000,000 messages with a capacity of 411 records a second, while 100 arrive.
  const { capacity, backlog: million } = estimateFor({ backlog: 1_000_000 })
  t.equal(million, 1_000_000 / (capacity - 100))
})

t.test('the problems that a result names', async (t) => {
  const of = (changes: Partial<Workload>) => problems({ ...INITIAL, ...changes }, recommend({ ...INITIAL, ...changes }))
  t.strictSame(of({}), [])
  t.strictSame(of({ p95: 500_000, rate: 0.1 }), [
    'A slow record may not end before the longest timeout of Lambda, which is 900 s.',
  ])
  t.match(of({ rate: 100_000, p50: 5_000, p95: 10_000 }), [/use more than one queue\.$/])
  t.strictSame(of({ limitKind: 'calls at once', limit: 1, rate: 1 }), [
    'MaximumConcurrency is at least 2, so two calls can run at once.',
  ])
})

t.test('an address holds a workload, and a wrong address gives the initial one', async (t) => {
  fc.assert(fc.property(workloads, (workload) => t.strictSame(fromQuery(toQuery(workload)), workload)))
  t.equal(toQuery({ ...INITIAL, rate: 20 }), '?rate=20')
  for (const query of ['', '?rate=', '?rate=x', '?rate=-1', '?p50=300', '?limitKind=all', '?timeout=1e9', '?other=1']) {
    t.strictSame(fromQuery(query), INITIAL, query)
  }
})

t.test('each field says what it expects', async (t) => {
  for (const name of Object.keys(FIELDS) as FieldName[]) {
    const limited: Workload = { ...INITIAL, limitKind: 'calls at once' }
    t.equal(problemOf(name, limited), undefined)
    t.match(problemOf(name, { ...limited, [name]: FIELDS[name].max + 1 }), /^Enter a (whole )?number from /)
    t.match(problemOf(name, { ...limited, [name]: '' }), /^Enter a (whole )?number from /)
  }
  t.equal(problemOf('p95', { ...INITIAL, p95: 79 }), 'Enter at least the p50.')
  t.equal(problemOf('timeout', { ...INITIAL, timeout: 1.5 }), 'Enter a whole number from 1 to 900.')
})

t.test('doctor --strict finds nothing in the SAM template of any result', async (t) => {
  const samples = [...CASES.map(({ workload }) => workload), ...fc.sample(workloads, { numRuns: 6, seed: 1 })]
  const files = samples.map((workload, index) => [`${index}.yaml`, codeFor('sam', recommend(workload).settings)])
  const folder = project(t, Object.fromEntries(files))
  t.strictSame(await doctor(folder, ...files.map(([name = '']) => name)), NOTHING)
})

t.test('the SAM template has the settings', async (t) => {
  const settings = settingsFor({ rate: 3, p95: 40_000, cpu: 500 })
  const { Queue, Function: lambda } = parse(codeFor('sam', settings).replaceAll('!GetAtt ', '')).Resources
  const { BatchSize, MaximumBatchingWindowInSeconds, ScalingConfig } = lambda.Properties.Events.Queue.Properties
  t.equal(Queue.Properties.VisibilityTimeout, settings.visibilityTimeout)
  t.match(lambda.Properties, { Timeout: settings.timeout, MemorySize: settings.memory })
  t.match(
    [BatchSize, MaximumBatchingWindowInSeconds, ScalingConfig.MaximumConcurrency],
    [settings.batchSize, settings.window, settings.maximumConcurrency],
  )
})

t.test('each setting of a result has a reason', async (t) => {
  for (const workload of fc.sample(workloads, { numRuns: 50, seed: 1 })) {
    const rows = settingRows(workload, recommend(workload))
    t.equal(rows.length, workload.limitKind === 'calls per second' ? 8 : 7)
    t.ok(rows.every(({ value, reason }) => value !== '' && !/undefined|NaN/.test(value + reason)))
  }
})

t.test('docs/settings.md names the assumptions of the module', async (t) => {
  const page = read('docs/settings.md')
  t.equal(POLLERS, 5)
  t.match(page, '**Five pollers**')
  t.match(page, `is ${INITIAL.cpu} ms for a record, as in the example`)
  // Rounded: the figure of a concurrency of 25.
  t.match(read('docs/tune.md'), /│ 25 .*│ +0\.578 │/)
  t.equal(HEADROOM, 2)
  t.match(page, 'twice the invocations')
  const [region = '', month = ''] = PRICES_OF.split(', ')
  t.match(page, `${region} in ${month}`)
  t.match(page, '710 bytes')
})
