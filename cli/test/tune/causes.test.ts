import { test } from 'tap'
import { causesOf, problemsOf } from '../../src/tune/figures/causes.ts'
import { measurement } from '../support/combinations.ts'

const TIMEOUT = 'an invocation timed out after 30.00 seconds'

const measurements = [
  measurement({ concurrency: 10, causes: { 'Error: EMFILE': 3 } }),
  measurement({ concurrency: 20, causes: { 'Error: 429': 5, 'Error: EMFILE': 4 }, problem: TIMEOUT }),
  measurement({ concurrency: 40 }),
  measurement({ concurrency: 80, problem: TIMEOUT }),
]

test('each error has the number of its records, and the concurrencies at which it occurred', async (t) => {
  t.strictSame(causesOf(measurements), [
    { text: 'Error: EMFILE', count: 7, concurrencies: '10, 20' },
    { text: 'Error: 429', count: 5, concurrencies: '20' },
  ])
})

test('each problem has the concurrencies at which it occurred', async (t) => {
  t.strictSame(problemsOf(measurements), [{ text: TIMEOUT, count: 0, concurrencies: '20, 80' }])
})
