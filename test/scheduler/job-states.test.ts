import t from 'tap'
import { RecordBlockedError, RecordNotStartedError } from '../../src/errors.ts'
import { createJobStates, FULFILLED, rejected } from '../../src/scheduler/job-states.ts'
import { job, jobs } from '../support/branded.ts'

t.test('a job that did not start, or did not settle, is a failure', (t) => {
  const states = createJobStates(4)
  t.strictSame([states.waiting, states.running], [4, 0])
  for (const number of jobs(0, 1, 2)) states.start(number)
  t.equal(states.settle(job(1), FULFILLED), true)
  t.strictSame([states.waiting, states.running], [1, 2])
  t.strictSame(jobs(0, 1, 3).map(states.isRunning), [true, false, false])
  const [first, second, third, ...others] = states.end()
  t.strictSame(first, { job: 0, reason: undefined })
  t.strictSame(second, { job: 2, reason: undefined })
  t.equal(third?.job, 3)
  t.ok(third?.reason instanceof RecordNotStartedError)
  t.strictSame(others, [])
  t.end()
})

t.test('jobs that failed keep what was thrown, also undefined', (t) => {
  const states = createJobStates(3)
  const thrown = [new Error('a'), undefined, 'text']
  for (const number of jobs(2, 0, 1)) {
    states.start(number)
    t.equal(states.settle(number, rejected(thrown[number])), true)
  }
  t.strictSame(
    states.end(),
    thrown.map((reason, job) => ({ job, reason })),
  )
  t.end()
})

t.test('only the first result of a job that is running counts', (t) => {
  const states = createJobStates(3)
  t.equal(states.settle(job(0), FULFILLED), false, 'the job has not started')
  states.start(job(0))
  t.equal(states.settle(job(0), rejected('first')), true)
  t.equal(states.settle(job(0), FULFILLED), false)
  states.start(job(1))
  const failures = states.end()
  t.equal(states.settle(job(1), FULFILLED), false, 'the batch has ended')
  t.strictSame(
    failures.map(({ job }) => job),
    [0, 1, 2],
  )
  t.end()
})

t.test('blocked jobs no longer count as waiting, and share one error with the cause', (t) => {
  const states = createJobStates(4)
  states.start(job(0))
  states.settle(job(0), rejected('cause'))
  states.block([], 'nothing')
  states.block(jobs(1, 3), 'cause')
  t.equal(states.waiting, 1)
  const failures = states.end()
  t.strictSame(
    failures.map(({ job }) => job),
    [0, 1, 2, 3],
  )
  const blocked = failures[1]?.reason
  t.ok(blocked instanceof RecordBlockedError)
  t.equal((blocked as Error).cause, 'cause')
  t.equal(failures[3]?.reason, blocked)
  t.end()
})

t.test('after the drain no job counts as waiting, even if a job is blocked later', (t) => {
  const states = createJobStates(3)
  states.start(job(0))
  states.drain()
  t.strictSame([states.waiting, states.running], [0, 1])
  states.settle(job(0), rejected('cause'))
  states.block(jobs(1), 'cause')
  t.strictSame([states.waiting, states.running], [0, 0])
  t.strictSame(
    states.end().map(({ reason }) => (reason as Error).name ?? reason),
    [undefined, 'RecordBlockedError', 'RecordNotStartedError'].map((name) => name ?? 'cause'),
  )
  t.end()
})

t.test('a batch whose jobs all succeeded has no failures', (t) => {
  const states = createJobStates(2)
  for (const number of jobs(0, 1)) {
    states.start(number)
    states.settle(number, FULFILLED)
  }
  t.strictSame(states.end(), [])
  t.strictSame(createJobStates(0).end(), [])
  t.end()
})

t.test('rejected() makes what Promise.allSettled() returns', (t) => {
  t.strictSame(rejected('reason'), { status: 'rejected', reason: 'reason' })
  t.end()
})
