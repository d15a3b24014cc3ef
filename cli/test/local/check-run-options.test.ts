import { test } from 'tap'
import type { RunOptions } from '../../src/engine.ts'
import { checkRunOptions } from '../../src/local/run-options.ts'

const GOOD = {
  queue: { visibilityTimeout: 40, maxReceives: 3 },
  function: { file: 'handler.mjs' },
  mapping: {},
  messages: [],
}
const GIVEN = { ...GOOD, queue: { queueUrl: 'http://127.0.0.1:4566/0/orders' } }

/** The options with one change, such as `function.memory`. */
function withOption(path: string, value: unknown, options: Record<string, unknown> = GOOD) {
  const [section, name] = path.split('.') as [string, string?]
  return { ...options, [section]: name === undefined ? value : { ...(options[section] as object), [name]: value } }
}

/** The message of the refusal. Undefined if the options are accepted. */
function refusal(options: unknown): string | undefined {
  try {
    checkRunOptions(options as RunOptions)
    return undefined
  } catch (error) {
    const { name, message } = error as Error
    return name === 'UsageError' ? message : `${error}`
  }
}

const WHOLE: readonly [path: string, least: number, most?: number][] = [
  ['queue.visibilityTimeout', 0, 43_200],
  ['queue.maxReceives', 1, 1000],
  ['queue.port', 0, 65_535],
  ['queue.seed', 0],
  ['function.memory', 128, 10_240],
  ['function.fdLimit', 32],
  ['function.perEnvironment', 1],
  ['mapping.batchSize', 1, 10_000],
  ['mapping.concurrency', 1],
  ['mapping.retryAfter', 0, 43_200],
]
const NUMBERS: typeof WHOLE = [
  ['queue.duplicates', 0, 1],
  ['idle', 0, 86_400],
  ['function.timeout', 1, 5_400_000],
  ['function.initTimeout', 1, 5_400_000],
  ['mapping.windowMs', 0, 300_000],
]

test('numbers are accepted in their range', async (t) => {
  for (const [ranges, isWhole] of [
    [WHOLE, true],
    [NUMBERS, false],
  ] as const) {
    for (const [path, least, most] of ranges) {
      const to = most === undefined ? '' : ` to ${most.toLocaleString('en-US')}`
      const expected = `run(): expected option ${path} to be a ${isWhole ? 'whole ' : ''}number from ${least}${to}, got`
      const refuses = (value: number) => t.equal(refusal(withOption(path, value)), `${expected} ${value}`)
      const accepts = (value: number) => t.equal(refusal(withOption(path, value)), undefined, `${path} ${value}`)
      accepts(least)
      accepts(most ?? Number.MAX_SAFE_INTEGER)
      refuses(least - 1)
      refuses(Number.NaN)
      refuses(most === undefined ? Number.MAX_SAFE_INTEGER + 1 : most + 1)
      if (isWhole) refuses(least + 0.5)
      else accepts(least + 0.5)
      t.equal(refusal(withOption(path, '1')), `${expected} a string`)
    }
  }
})

async function* generator() {}
const TYPES: readonly [expected: string, paths: readonly string[], good: readonly unknown[], bad: unknown][] = [
  [
    'a boolean',
    [
      'awaitFirst',
      'queue.fifo',
      'function.limitMemory',
      'function.freeze',
      'function.callbacks',
      'mapping.reportBatchItemFailures',
    ],
    [true, false],
    'true',
  ],
  [
    'a function',
    [
      'onWarning',
      'onProgress',
      'onStart',
      'function.onLog',
      'function.onDeathBetween',
      'function.onMetrics',
      'function.onFinished',
      'function.onUsage',
      'mapping.onFailure',
    ],
    [() => {}],
    'log',
  ],
  ['a string', ['function.file', 'function.exportName', 'function.runtimeClient'], ['a'], null],
  ['an object', ['function.env'], [{}], 'A=1'],
  ['an AbortSignal', ['drain', 'stop'], [new AbortController().signal], 'SIGINT'],
  ['a whole number from 0', ['seed'], [0, 7], true],
  ['true or an address', ['function.inspect'], [true, false, '9229'], null],
  ['a list of filter patterns', ['mapping.filters'], [[]], '{}'],
  ['an iterable or an async iterable of messages', ['messages'], [[], new Set(), generator()], 'text'],
]

test('other options are accepted with values of their type', async (t) => {
  for (const [expected, paths, good, bad] of TYPES) {
    for (const path of paths) {
      for (const value of good) t.equal(refusal(withOption(path, value)), undefined, `${path} ${String(value)}`)
      const got = bad === null ? 'null' : bad === true ? 'a boolean' : 'a string'
      t.equal(refusal(withOption(path, bad)), `run(): expected option ${path} to be ${expected}, got ${got}`)
    }
  }
  t.match(refusal({ ...GOOD, messages: {} }), 'messages, got an object')
  t.match(refusal({ ...GOOD, seed: 1.5 }), 'seed to be a whole number from 0, got 1.5')
})

test('an option that is undefined is missing, and some must be given', async (t) => {
  for (const path of ['idle', 'drain', 'queue.port', 'function.memory', 'mapping.filters']) {
    t.equal(refusal(withOption(path, undefined)), undefined, path)
  }
  for (const [path, expected] of [
    ['queue', 'an object'],
    ['function', 'an object'],
    ['mapping', 'an object'],
    ['queue.visibilityTimeout', 'a whole number from 0 to 43,200'],
    ['queue.maxReceives', 'a whole number from 1 to 1,000'],
    ['function.file', 'a string'],
  ] as const) {
    t.equal(refusal(withOption(path, undefined)), `run(): expected option ${path} to be ${expected}, got undefined`)
  }
  t.equal(refusal(withOption('queue', 'orders')), 'run(): expected option queue to be an object, got a string')
  t.equal(refusal({}), 'run(): expected option queue to be an object, got undefined')
  t.equal(refusal(undefined), 'run(): expected an object of options, got undefined')
  t.equal(refusal(null), 'run(): expected an object of options, got null')
  t.equal(refusal('handler.mjs'), 'run(): expected an object of options, got a string')
})

test('messages may be missing if other programs can send them', async (t) => {
  const withoutMessages = (queue: object) =>
    refusal({ ...GOOD, messages: undefined, queue: { ...GOOD.queue, ...queue } })
  const needed = 'run(): expected option messages to be an iterable or an async iterable of messages, got undefined'
  t.equal(withoutMessages({}), needed)
  t.equal(withoutMessages({ port: 0 }), needed)
  t.equal(withoutMessages({ port: 1 }), undefined)
  t.equal(refusal({ ...GIVEN, messages: undefined }), undefined)
})

test('the address of an existing queue is a URL', async (t) => {
  t.equal(refusal(GIVEN), undefined)
  t.equal(refusal(withOption('queue.endpoint', 'http://127.0.0.1:4566', GIVEN)), undefined)
  t.equal(refusal(withOption('queue.endpoint', undefined, GIVEN)), undefined)
  for (const [value, got] of [
    ['orders', 'a string'],
    [new URL('http://127.0.0.1'), 'an object'],
    [undefined, 'undefined'],
  ] as const) {
    t.equal(
      refusal(withOption('queue.queueUrl', value, GIVEN)),
      `run(): expected option queue.queueUrl to be a URL, got ${got}`,
    )
  }
  t.equal(
    refusal(withOption('queue.endpoint', 'orders', GIVEN)),
    'run(): expected option queue.endpoint to be a URL, got a string',
  )
})

test('an unknown option is refused with the names of the known ones', async (t) => {
  const names = {
    options: 'queue, function, mapping, messages, seed, idle, awaitFirst, onWarning, onProgress, onStart, drain, stop',
    queue: 'visibilityTimeout, maxReceives, port, fifo, duplicates, seed',
    function:
      'file, exportName, timeout, initTimeout, memory, limitMemory, freeze, inspect, callbacks, fdLimit, perEnvironment, runtimeClient, env, onLog, onDeathBetween, onMetrics, onFinished, onUsage',
    mapping: 'batchSize, windowMs, concurrency, reportBatchItemFailures, retryAfter, filters, onFailure',
  }
  t.equal(refusal({ ...GOOD, toString: 1 }), `run(): unknown option toString. Expected one of ${names.options}`)
  for (const section of ['queue', 'function', 'mapping'] as const) {
    t.equal(
      refusal(withOption(`${section}.other`, 1)),
      `run(): unknown option ${section}.other. Expected one of ${names[section]}`,
    )
  }
  t.equal(
    refusal(withOption('queue.maxReceives', 3, GIVEN)),
    'run(): unknown option queue.maxReceives. Expected one of queueUrl, endpoint',
  )
})
