import t from 'tap'
import sameByDefault, { boundedSqsBatch } from '../../src/index.ts'
import { checkOptions } from '../../src/options.ts'
import { withEnvironment } from '../support/environment.ts'
import { warned } from '../support/output.ts'

t.test('an invalid option is a TypeError that names the option, what was expected and what was received', async (t) => {
  const bad: [options: unknown, ...message: RegExp[]][] = [
    [
      { concurrency: 0 },
      /^boundedSqsBatch\(\): expected option concurrency to be a positive integer, got 0 \(a number\)$/,
    ],
    [{ concurrency: NaN }, /got NaN/],
    [{ concurrency: 1.5 }, /got 1.5/],
    [{ concurrency: -1 }, /got -1/],
    [{ concurrency: Infinity }, /got Infinity/],
    [{ concurrency: '100' }, /got "100" \(a string\)/],
    [{ concurrency: null }, /got null$/],
    [{ concurrency: 100n }, /got 100 \(a bigint\)/],
    [{ concurrency: { max: 10 } }, /got an object/],
    [{ recordTimeout: 0 }, /option recordTimeout/, /milliseconds, more than 0/],
    [{ recordTimeout: NaN }, /got NaN/],
    [{ recordTimeout: Infinity }, /got Infinity/],
    [{ recordTimeout: '5s' }, /got "5s"/],
    [{ timeBudget: true }, /option timeBudget/, /or false/, /got true/],
    [{ timeBudget: 1000 }, /got 1000/],
    [{ timeBudget: null }, /got null/],
    [{ timeBudget: { drain: -1 } }, /option timeBudget.drain/, /0 or more/, /got -1/],
    [{ timeBudget: { abort: NaN } }, /option timeBudget.abort/, /got NaN/],
    [{ timeBudget: { abort: '250' } }, /option timeBudget.abort/, /got "250"/],
    [{ timeBudget: { abrot: 1 } }, /unknown option "timeBudget.abrot"/, /drain, abort/],
    [{ timeBudget: [1, 2] }, /option timeBudget/, /an array/],
    [{ timeBudget: () => {} }, /option timeBudget/, /a function/],
    [{ timeBudget: new Map() }, /option timeBudget/],
    [{ fifoFailure: 'queue' }, /option fifoFailure/, /'group' or 'batch'/, /got "queue"/],
    [{ fifoFailure: 'q'.repeat(200) }, /got "q{100}" \(a string\)$/],
    [{ throwOnFullBatchFailure: 'yes' }, /option throwOnFullBatchFailure/, /true or false/],
    [{ throwOnFullBatchFailure: 1 }, /got 1/],
    [{ logger: true }, /option logger/, /a function or false/],
    [{ logger: console }, /option logger/, /an object/],
    [{ onSummary: 1 }, /option onSummary to be a function, got 1/],
    [{ onSummary: function* () {} }, /option onSummary to be a function/, /got a generator function/],
    [{ onFailure: async function* () {} }, /option onFailure/, /got a generator function/],
    [{ concurency: 5 }, /unknown option "concurency"/, /expected one of concurrency, recordTimeout/],
    [{ rateLimit: 14 }, /option rateLimit/, /limit: 14, interval: 1000/, /got 14/],
    [{ rateLimit: {} }, /option rateLimit.limit/, /a positive integer/, /got undefined/],
    [{ rateLimit: { limit: 14 } }, /option rateLimit.interval/, /more than 0/, /got undefined$/],
    [{ rateLimit: { limit: 14, interval: undefined } }, /option rateLimit.interval/, /got undefined/],
    [{ rateLimit: { limit: 1.5, interval: 1000 } }, /option rateLimit.limit/, /got 1.5/],
    [{ rateLimit: { limit: 14, interval: 0 } }, /option rateLimit.interval/, /got 0/],
    [{ rateLimit: { limit: 14, interval: 1000, strict: true } }, /unknown option "rateLimit.strict"/],
    [{ onFailure: 'deadLetter' }, /option onFailure/, /a function or an array of functions/, /got "deadLetter"/],
    [{ onFailure: [() => [], null] }, /option onFailure/, /an array/],
    [{ toString: 1 }, /unknown option "toString"/],
    [null, /an object of options, got null/],
    ['fast', /an object of options, got a string/],
    [[], /an object of options, got an array/],
    [100, /an object of options, got a number/],
    [() => {}, /an object of options, got a function/],
    [new Map(), /an object of options, got an object/],
  ]
  for (const [options, ...messages] of bad) {
    for (const message of messages) {
      t.throws(() => boundedSqsBatch(options as never), { name: 'TypeError', message })
    }
  }
})

t.test('valid options are accepted', async (t) => {
  const good = [
    undefined,
    {},
    { concurrency: 1 },
    { concurrency: undefined, logger: undefined, timeBudget: undefined },
    { recordTimeout: 0.5 },
    { timeBudget: false },
    { rateLimit: undefined, onFailure: undefined },
    { rateLimit: { limit: 14, interval: 1000 }, onFailure: () => [] },
    { onFailure: [] },
    { onFailure: [() => [], () => []] },
    { timeBudget: {} },
    { timeBudget: { drain: 0, abort: undefined } },
    { fifoFailure: 'batch' },
    { fifoFailure: 'group' },
    { throwOnFullBatchFailure: true },
    { logger: false },
    { logger() {} },
  ] as const
  for (const options of good) t.ok(boundedSqsBatch(options))
})

t.test('boundedSqsBatch() is also the default export, and its hooks are named functions', async (t) => {
  const { before, after, onError, ...rest } = boundedSqsBatch()
  t.strictSame(
    [before, after, onError].map(({ name }) => name),
    ['boundedSqsBatchBefore', 'boundedSqsBatchAfter', 'boundedSqsBatchOnError'],
  )
  t.strictSame(rest, {})
  t.equal(sameByDefault, boundedSqsBatch)
})

t.test('a BOUNDED_SQS_BATCH_CONCURRENCY that is not a positive integer is ignored, with one warning', async (t) => {
  t.teardown(() => delete process.env.BOUNDED_SQS_BATCH_CONCURRENCY)
  for (const value of ['0', '-1', '1.5', 'many', '', '1e2', '0x10', '100 ', '9'.repeat(30)]) {
    process.env.BOUNDED_SQS_BATCH_CONCURRENCY = value
    const warnings = await warned(() => boundedSqsBatch({ concurrency: 5 }))
    const code = 'BOUNDED_SQS_BATCH_CONCURRENCY'
    const message = `${code} is ignored: expected a positive integer, got "${value}" (a string)`
    const seen = warnings.map(({ name, code, message }) => ({ name, code, message }))
    t.strictSame(seen, [{ name: 'BoundedSqsBatchWarning', code, message }])
  }
  process.env.BOUNDED_SQS_BATCH_CONCURRENCY = '70'
  t.strictSame(await warned(() => t.equal(checkOptions({ concurrency: 5 }).concurrency, 70)), [])
})

t.test('the CPU share is the memory ÷ 1,769 MB, at most 1, and 1 if the memory is not known', async (t) => {
  for (const [memory, share] of [
    [undefined, 1],
    ['', 1],
    ['0', 1],
    ['-128', 1],
    ['what', 1],
    ['884.5', 0.5],
    ['1769', 1],
    ['10240', 1],
  ] as const) {
    withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memory, AWS_LAMBDA_MAX_CONCURRENCY: undefined })
    t.equal(checkOptions().cpuShare, share, `${memory} MB`)
  }
  withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '884.5', AWS_LAMBDA_MAX_CONCURRENCY: '4' })
  t.equal(checkOptions().cpuShare, 1, 'on Managed Instances')
})

t.test('the defaults', async (t) => {
  withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: undefined })
  const { failureHandlers, ...others } = checkOptions()
  t.match(others, { concurrency: 100, fifoFailure: 'group', cpuShare: 1 })
  t.strictSame(failureHandlers, [])
})
