import t from 'tap'
import { createReadyQueue } from '../../src/scheduler/ready-queue.ts'

t.test('when one group has ended, the next job of another group is still returned', (t) => {
  const ready = createReadyQueue(3, ['a', 'b', 'b'], 'group')
  t.strictSame([ready.take(), ready.take(), ready.peek()], [0, 1, undefined])
  ready.advanceGroup(0) // the last job of its group
  t.equal(ready.peek(), undefined)
  ready.advanceGroup(1)
  t.equal(ready.peek(), 2)
  t.strictSame([ready.take(), ready.take()], [2, undefined])
  t.end()
})
