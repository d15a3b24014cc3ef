import { test } from 'tap'
import { type RunOptions, run } from '../../src/engine.ts'
import { handlerFile } from '../support/runs.ts'

const good = {
  queue: { visibilityTimeout: 40, maxReceives: 3 },
  function: { file: handlerFile('outcomes.mjs') },
  mapping: {},
  messages: [],
  idle: 0,
}

const cases: [title: string, options: unknown, message: string][] = [
  ['empty options', {}, 'run(): expected option queue to be an object, got undefined'],
  [
    'a large batch size without a window',
    { ...good, mapping: { batchSize: 11, windowMs: 0 } },
    'run(): expected option mapping.windowMs to be above 0 for a batchSize of 11, got 0',
  ],
  [
    'a large batch size on a FIFO queue',
    { ...good, queue: { ...good.queue, fifo: true }, mapping: { batchSize: 11 } },
    'run(): expected option mapping.batchSize to be at most 10 on a FIFO queue, got 11',
  ],
  [
    'a window on a FIFO queue',
    { ...good, queue: { ...good.queue, fifo: true }, mapping: { windowMs: 5000 } },
    'run(): expected option mapping.windowMs to be 0 on a FIFO queue, got 5000',
  ],
]
for (const [title, options, message] of cases) {
  test(`run() refuses ${title}`, async (t) => {
    await t.rejects(run(options as RunOptions), { name: 'UsageError', message })
  })
}

function fail() {
  throw new Error('from the callback')
}
const file = handlerFile('faults.mjs')
const callbacks: [name: string, options: Partial<RunOptions>][] = [
  ['function.onLog', { function: { file, onLog: fail } }],
  ['function.onMetrics', { function: { file, onMetrics: fail } }],
  ['mapping.onFailure', { mapping: { onFailure: fail } }],
  ['onProgress', { onProgress: fail }],
  ['onStart', { onStart: fail }],
]
for (const [name, options] of callbacks) {
  test(`an error in ${name} ends the run, which rejects with it`, async (t) => {
    // The process dies after its response, and prints why.
    const lambda = { file, exportName: 'rejectsLater', freeze: false, ...options.function }
    const messages = [{ body: '1' }]
    const ran = run({ onWarning: () => {}, ...good, ...options, messages, idle: undefined, function: lambda })
    await t.rejects(ran, { name: 'Error', message: 'from the callback' })
  })
}
