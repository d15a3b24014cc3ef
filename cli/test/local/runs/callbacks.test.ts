import { test } from 'tap'
import { type RunOptions, run } from '../../../src/engine.ts'
import { handlerFile } from '../../support/runs.ts'

const good = {
  queue: { visibilityTimeout: 40, maxReceives: 3 },
  mapping: {},
  messages: [],
  idle: 0,
}

function fail() {
  throw new Error('from the callback')
}
const callbacks: [name: string, options: Partial<RunOptions>][] = [
  ['onProgress', { onProgress: fail }],
  ['onStart', { onStart: fail }],
]
for (const [name, options] of callbacks) {
  test(`an error in ${name} ends the run, which rejects with it`, async (t) => {
    const lambda = { file: handlerFile('faults.mjs'), exportName: 'throwsNull' }
    const messages = [{ body: '1' }]
    const ran = run({ onWarning: () => {}, ...good, ...options, messages, idle: undefined, function: lambda })
    await t.rejects(ran, { name: 'Error', message: 'from the callback' })
  })
}
