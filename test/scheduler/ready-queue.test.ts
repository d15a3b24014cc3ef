import t from 'tap'
import { createReadyQueue } from '../../src/scheduler/ready-queue.ts'
import { job } from '../support/branded.ts'

t.test('the ready queue returns each index once', async (t) => {
  for (const groups of [
    [undefined, undefined, undefined],
    ['g', undefined, 'g'],
  ]) {
    const ready = createReadyQueue(groups, 'group')
    const taken: unknown[] = []
    for (let index = ready.take(); index !== undefined; index = ready.take()) {
      taken.push(index)
      ready.advanceGroup(index)
    }
    t.strictSame(taken, [0, 1, 2])
    t.equal(ready.take(), undefined)
  }
})

t.test('peek() returns the index that take() returns next, or undefined', async (t) => {
  for (const groups of [
    [undefined, undefined, undefined],
    ['a', 'b', 'a'],
  ]) {
    const ready = createReadyQueue(groups, 'group')
    for (let left = 3; left > 0; left--) {
      const next = ready.peek()
      t.equal(ready.take(), next)
      if (next !== undefined) ready.advanceGroup(next)
    }
    t.equal(ready.peek(), undefined)
  }
  const ready = createReadyQueue(['a', 'a'], 'group')
  t.equal(ready.take(), 0)
  t.equal(ready.peek(), undefined, 'the second record of the group waits for the first')
})

t.test('when one group has ended, the next job of another group is still returned', async (t) => {
  const ready = createReadyQueue(['a', 'b', 'b'], 'group')
  t.strictSame([ready.take(), ready.take(), ready.peek()], [0, 1, undefined])
  ready.advanceGroup(job(0)) // the last job of its group
  t.equal(ready.peek(), undefined)
  ready.advanceGroup(job(1))
  t.equal(ready.peek(), 2)
  t.strictSame([ready.take(), ready.take()], [2, undefined])
})
