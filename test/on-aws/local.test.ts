import t from 'tap'
import { EXPERIMENTS, type Experiment } from './experiments.ts'
import { imitateAws } from './imitation.ts'
import { run } from './run.ts'

// The others need what only AWS has: metrics, reports of Lambda, a real CPU share, loop detection, and throttling. fauxqs
// puts one message of a group into a batch, so it cannot show what happens to those behind a failed one.
const NAMES = [
  'flags of Node in nodejs24.x',
  'require() of an ES module with NODE_OPTIONS=--experimental-require-module',
  'file descriptors',
  'a timer after the response',
  'the response {}',
  'the response null',
  'the response undefined',
  'the response { batchItemFailures: [] }',
  'the response { batchItemFailures: null }',
  'the response with the id of the message',
  'the response with an unknown id',
  'the response with an empty id',
  'the response with an id of null',
  'the response with the id under another key',
  'the response true',
  'the response []',
  '100 messages, of which 10 fail once',
  'failed messages without ReportBatchItemFailures',
  'failed messages with ReportBatchItemFailures',
  'a visibility timeout below the batching window',
  'a FIFO queue with three message groups, one message of which fails once',
]

t.test('what is expected of AWS is observed on `local` and fauxqs, and everything is removed', async (t) => {
  const imitation = await imitateAws(t)
  const experiments = NAMES.map((name) => EXPERIMENTS.find((experiment) => experiment.name === name) as Experiment)
  const { signal } = new AbortController()
  const start = performance.now()
  const print = (line: string) => t.comment(`${Math.round(performance.now() - start)} ms: ${line}`)
  const result = await run({ aws: imitation.aws, id: 'test', experiments, signal, print, pace: 0.25 })
  t.strictSame(
    result.outcomes.map(({ name, verdict, observed }) => [name, verdict === 'as expected' ? verdict : observed]),
    NAMES.map((name) => [name, 'as expected']),
  )
  t.equal(result.left, undefined)
  t.ok(imitation.isDeleted())
  t.ok(imitation.processes.length > 0)
  for (const { exitCode, signalCode } of imitation.processes) t.ok(exitCode !== null || signalCode !== null)
})
