import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { adaptiveConcurrency } from '../../src/adaptive/index.ts'
import { boundedSqsBatch } from '../../src/index.ts'
import { sourcesOf } from '../support/bundle.ts'

t.test('an invalid option is a TypeError that names the option, what was expected and what was received', (t) => {
  const bad: [options: unknown, message: RegExp][] = [
    [{ min: 0 }, /^adaptiveConcurrency\(\): expected option min to be a positive integer, got 0 \(a number\)$/],
    [{ max: 1.5 }, /option max to be a positive integer, got 1.5/],
    [{ initial: '50' }, /option initial to be a positive integer, got '50' \(a string\)/],
    [{ classify: 'throttle' }, /option classify to be a function, got 'throttle'/],
    [{ maximum: 5 }, /unknown option "maximum", expected one of min, max, initial, classify/],
    [{ min: 10, max: 5 }, /expected min ≤ initial ≤ max, got min 10, initial 10 and max 5/],
    [{ min: 5, initial: 4 }, /expected min ≤ initial ≤ max, got min 5, initial 4 and max 500/],
    [{ initial: 501 }, /expected min ≤ initial ≤ max, got min 1, initial 501 and max 500/],
    [null, /expected an object of options, got null/],
    [100, /expected an object of options, got a number/],
  ]
  for (const [options, message] of bad) {
    t.throws(() => adaptiveConcurrency(options as never), { name: 'TypeError', message })
  }
  t.end()
})

t.test('valid options are accepted', (t) => {
  for (const options of [
    undefined,
    {},
    { min: 60 },
    { max: 20 },
    { min: 1, max: 1, initial: 1 },
    { min: 600 },
    { initial: 500, classify: () => undefined },
  ]) {
    t.ok(boundedSqsBatch({ concurrency: adaptiveConcurrency(options) }))
  }
  t.end()
})

t.test('the option concurrency accepts nothing that only looks like the result of adaptiveConcurrency()', (t) => {
  for (const concurrency of [{ max: 10 }, () => 10, adaptiveConcurrency]) {
    t.throws(() => boundedSqsBatch({ concurrency: concurrency as never }), {
      name: 'TypeError',
      message: /option concurrency to be a positive integer or the result of adaptiveConcurrency\(\)/,
    })
  }
  t.end()
})

t.test('a bundle that does not use adaptiveConcurrency() contains nothing of it', async (t) => {
  const folder = 'src/adaptive/'
  const without = await sourcesOf(`export { boundedSqsBatch, eachRecord } from '../../src/index.ts'`)
  t.ok(without.includes('src/scheduler/scheduler.ts'))
  t.strictSame(
    without.filter((file) => file.startsWith(folder)),
    [],
  )
  const withIt = await sourcesOf(`export * from '../../src/index.ts'; export * from '../../src/adaptive/index.ts'`)
  const names = readdirSync(join(import.meta.dirname, '../..', folder)).filter((name) => name !== 'index.ts')
  const all = names.map((name) => folder + name)
  t.strictSame(withIt.filter((file) => file.startsWith(folder)).sort(), all.sort())
})
