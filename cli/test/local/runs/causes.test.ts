import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { inProcess } from '../../support/in-process.ts'
import { handlerFile, runHandler } from '../../support/runs.ts'

const small = ['--batch-size', '10', '--retry-after', '0', '--idle', '0', '--max-receives', '1', '--quiet']

test('with --quiet, the table is followed by the causes of failed records and by the reason why the run failed', async (t) => {
  const args = ['local', handlerFile('record-errors.ts'), '--messages', '20', ...small]
  const { code, stdout, stderr } = await inProcess(args)
  t.equal(code, 1)
  t.equal(stderr, '')
  const end = stdout.slice(stdout.indexOf('┘') + 2)
  const [title, ...lines] = end.split('\n')
  t.equal(title, 'Why records failed (deliveries × error):')
  t.match(lines.slice(0, 2).sort(), [
    /^ {2}2 × Error: fetch failed; caused by an object \(code ECONNREFUSED\)$/,
    /^ {2}2 × RangeError: order (1|11) is not in stock$/,
  ])
  t.match(
    lines[2],
    /^first failure: [0-9a-f-]{36}: reported as failed, receive count 1: (Error: fetch|RangeError: order)/,
  )
  const id = /[0-9a-f]{8}-[0-9a-f-]{27}$/
  t.match(lines.at(-2), id, 'before the end of the last line')
  t.strictSame(
    lines.slice(3).map((line) => line.replace(id, 'ID')),
    [
      'not as on AWS: Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
      'failed: 4 messages were dead-lettered (--max-dead-lettered 4 would allow it); the first unprocessed message is ID',
      '',
    ],
  )
})

test('--json has the error of a record, the verdict and its reason', async (t) => {
  const args = ['local', handlerFile('record-errors.ts'), '--messages', '1', '--json', ...small]
  const { code, stdout, stderr } = await inProcess(args)
  t.equal(code, 1)
  const result = JSON.parse(stdout)
  t.match(result, {
    verdict: 'failed',
    reason: /^no message was processed; 1 message was dead-lettered \(--max-dead-lettered 1 would allow it\)$/,
    causes: { 'RangeError: order 1 is not in stock': 1 },
    failures: [/^[0-9a-f-]{36}: reported as failed, receive count 1: RangeError: order 1 is not in stock$/],
  })
  t.match(stderr, /^failed: no message was processed; /m)
})

test('a handler without .use(): the run fails and shows the error of the invocations', async (t) => {
  const args = ['local', `${handlerFile('record-errors.ts')}#withoutUse`, '--messages', '20', ...small]
  const { code, stdout } = await inProcess(args)
  t.equal(code, 1)
  t.match(stdout, /^Why invocations failed or processes died:\n {2}\d × \S*Error: .*\.use\(/m)
  t.match(
    stdout,
    /^failed: no message was processed; \d invocations failed \(--max-failed-invocations \d would allow it\); 20/m,
  )
})

test('if the handler does not return the response of the library, the failed messages are lost', async (t) => {
  const file = handlerFile('record-errors.ts')
  const args = ['local', `${file}#withoutReturn`, '--messages', '20', ...small]
  const { code, stdout } = await inProcess(args)
  t.equal(code, 1)
  t.match(stdout, /^│ processed +│ +16 │$/m)
  t.match(stdout, /^│ lost +│ +4 │$/m)
  t.match(stdout, /^first failure: \S+: failed, but deleted, because the handler did not return the response of .*$/m)
  t.match(stdout, /^failed: 4 messages were lost; the first unprocessed message is [0-9a-f-]{36}$/m)
  t.match(
    stdout,
    /^first failure: [0-9a-f-]{36}: failed, but deleted, because the handler did not return the response of middy-bounded-sqs-batch: (Error: fetch|RangeError: order)/m,
  )
  for (const mapping of [{}, { reportBatchItemFailures: false }]) {
    const ledger = await runHandler('record-errors.ts', {
      queue: { visibilityTimeout: 40, maxReceives: 1 },
      function: { exportName: 'returnsFirst' },
      messages: numberedMessages(20),
      mapping: { batchSize: 10, ...mapping },
    })
    t.equal(ledger.lost + ledger.deadLettered, 4)
    t.equal(ledger.processed, 16)
  }
})

const UNFINISHED =
  'the library made no response for this batch: await the Middy handler, return its response, and do not catch its error'
const UNLISTED =
  'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it'
const unfinished: [exportName: string, expected: object][] = [
  ['withoutAwait', { processed: 0, lost: 10, causes: { [UNFINISHED]: 10 } }],
  ['withoutAwaitOfHalf', { processed: 0, lost: 10, causes: { [UNFINISHED]: 5, [UNLISTED]: 5 } }],
  ['catches', { processed: 0, lost: 10, causes: { 'Error: downstream returned 503': 10 } }],
]
for (const [exportName, expected] of unfinished) {
  for (const reportBatchItemFailures of [true, false]) {
    test(`${exportName}, ReportBatchItemFailures ${reportBatchItemFailures}: records that are not known to have succeeded are lost`, async (t) => {
      const ledger = await runHandler('record-errors.ts', {
        function: { exportName },
        messages: numberedMessages(10),
        mapping: { reportBatchItemFailures },
      })
      t.match(ledger, { sent: 10, delivered: 10, deadLettered: 0, remaining: 0, failedInvocations: 0, ...expected })
      t.strictSame(Object.keys(ledger.causes), Object.keys((expected as { causes: object }).causes))
    })
  }
}

test('if the function responds with a copy of the response of the library, the records that succeeded are processed', async (t) => {
  const ledger = await runHandler('record-errors.ts', {
    queue: { visibilityTimeout: 40, maxReceives: 1 },
    function: { exportName: 'replaced' },
    messages: numberedMessages(10),
  })
  t.match(ledger, { processed: 9, deadLettered: 1, lost: 0, causes: { 'RangeError: not in stock': 1 } })
})

test('the last batch of a record decides: records that succeed in a second batch are processed', async (t) => {
  const ledger = await runHandler('record-errors.ts', {
    function: { exportName: 'triesAgain' },
    messages: numberedMessages(10),
  })
  t.match(ledger, { processed: 10, delivered: 10, lost: 0, dropped: 0 })
  t.strictSame(ledger.causes, {})
})

test('failures that a failure handler removed from the report are not lost', async (t) => {
  const ledger = await runHandler('record-errors.ts', {
    function: { exportName: 'handled' },
    messages: numberedMessages(10),
  })
  t.match(ledger, { processed: 10, lost: 0, causes: { 'Error: invalid': 10 } })
})

test('without the library, the cause says that the error is unknown', async (t) => {
  const ledger = await runHandler('outcomes.mjs', {
    queue: { visibilityTimeout: 40, maxReceives: 1 },
    function: { env: { RECORD_TO: '/dev/null' } },
    messages: numberedMessages(10),
  })
  t.strictSame(ledger.causes, { 'unknown error: the handler reported only the id of the record': 2 })
})
