// Rules on a mapping that is written as a model, without a template.
import { test } from 'tap'
import { codeSearch } from '../../src/code-search/search.ts'
import { RULES } from '../../src/doctor/check.ts'
import type { LambdaFunction, Mapping, Queue } from '../../src/model/model.ts'
import { invalid, known, valueIn } from '../../src/model/setting.ts'
import { evidenceWith, type Problem } from '../../src/rules/rule.ts'
import { functionOf, mappingOf, queueOf, redriveOf } from '../support/models.ts'

const evidenceOf = evidenceWith(codeSearch())
function problemsOf(id: string, mapping: Mapping): Problem[] {
  const rule = RULES.find((one) => one.id === id)
  return [rule?.check(mapping, { ofFunction: [mapping], ofQueue: [mapping], evidenceOf }) ?? []].flat()
}

/** What a problem says, and the setting that its fix changes. */
function said({ what, fix, set }: Problem) {
  return [what, fix, ...(set ? [[set[0].name, set[1]]] : [])]
}

function inFunction(id: string, settings: Partial<LambdaFunction>) {
  return problemsOf(id, mappingOf({ function: functionOf(settings) })).map(said)
}

test('the code of a function: its own, that of the function of an alias, or why there is none', (t) => {
  const code = { inline: '' }
  const unreadReason = 'it is version 3'
  const aliasOf = functionOf({ code })
  t.strictSame(
    [
      functionOf({ code, unreadReason }),
      functionOf({ aliasOf, unreadReason }),
      functionOf({ aliasOf: functionOf(), unreadReason }),
      functionOf(),
    ].map((one) => [evidenceOf(one).searched, evidenceOf(one).missing]),
    [
      ['the code in the template', undefined],
      ['the code in the template', undefined],
      [undefined, 'it is version 3'],
      [undefined, 'the input does not show where the code is'],
    ],
  )
  t.equal(evidenceOf(functionOf({ code })), evidenceOf(functionOf({ code: { ...code } })), 'it is searched once')
  t.end()
})

const WRONG = invalid('it is wrong', 'Correct it.')
const LAMBDA_API = 'https://docs.aws.amazon.com/lambda/latest/api'
const QUEUE_API = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html'
for (const [mapping, resource, name, source] of [
  [mappingOf({ batchSize: WRONG }), 'Orders', 'BatchSize', `${LAMBDA_API}/API_CreateEventSourceMapping.html`],
  [mappingOf({ filters: known([WRONG]) }), 'Orders', 'Pattern', `${LAMBDA_API}/API_CreateEventSourceMapping.html`],
  [
    mappingOf({ function: functionOf({ timeout: WRONG }) }),
    'Handler',
    'Timeout',
    `${LAMBDA_API}/API_CreateFunction.html`,
  ],
  [mappingOf({ queue: queueOf({ visibilityTimeout: WRONG }) }), 'Queue', 'VisibilityTimeout', QUEUE_API],
  [
    mappingOf({ queue: queueOf({ redrive: redriveOf({ maxReceiveCount: WRONG }) }) }),
    'Queue',
    'maxReceiveCount',
    QUEUE_API,
  ],
  [
    mappingOf({ queue: queueOf({ redrive: redriveOf({}, { retention: WRONG }) }) }),
    'Dead',
    'MessageRetentionPeriod',
    QUEUE_API,
  ],
] as const) {
  test(`a value of ${name} that AWS rejects: the text, and the page of AWS`, (t) => {
    t.strictSame(
      problemsOf('invalid-value', mapping).map((one) => [one.resource.id, one.what, one.fix, one.source]),
      [[resource, `${name}: it is wrong`, 'Correct it.', source]],
    )
    t.end()
  })
}

test('the settings of a queue or dead-letter queue that could not be read are not checked one by one', (t) => {
  const queue = queueOf({
    unreadReason: 'x',
    visibilityTimeout: WRONG,
    redrive: redriveOf({}, { retention: WRONG, unreadReason: 'x' }),
  })
  t.strictSame(problemsOf('invalid-value', mappingOf({ queue })), [])
  t.end()
})

const WITHOUT_BACKOFF = { inline: 'throw 1' }
const WITH_BACKOFF = { inline: "import 'middy-bounded-sqs-batch'; retryBackoff({ client })" }

/** A standard queue whose settings fit together. */
function fitting(settings: Partial<Queue> = {}): Queue {
  return queueOf({ fifo: known(false), visibilityTimeout: known(60), retention: known(100_000), ...settings })
}

test('retryBackoff() in the code of one of several functions needs more receives', async (t) => {
  const queue = fitting({ redrive: redriveOf({ maxReceiveCount: known(12) }) })
  const [plain, delaying] = [WITHOUT_BACKOFF, WITH_BACKOFF].map((code) =>
    mappingOf({ queue, function: functionOf({ code }) }),
  ) as [Mapping, Mapping]
  const rule = RULES.find(({ id }) => id === 'max-receive-count')
  const fixOf = (...ofQueue: Mapping[]) =>
    [rule?.check(plain, { ofFunction: [plain], ofQueue, evidenceOf }) ?? []].flat().map(({ fix }) => fix)
  t.strictSame(fixOf(plain), [])
  t.strictSame(fixOf(plain, delaying), ['Set maxReceiveCount to 15 or more.'])
})

const NEVER_DEAD =
  'A message that fails each time expires before its last delivery, and never reaches the dead-letter queue.'
const LONGER = ['Set MessageRetentionPeriod to 345600 or more.', ['MessageRetentionPeriod', 345_600]]
for (const [title, retention, delay, visibility, receives, found] of [
  ['equal to the delay', 60, 60, 30, 5, [undefined, undefined, 'the delay (60 s)', ...LONGER]],
  ['equal to the visibility timeout', 60, 0, 60, 5, [undefined, undefined, 'the visibility timeout (60 s)', ...LONGER]],
  [
    'equal to 5 times the visibility timeout',
    300,
    0,
    60,
    5,
    ['warning', NEVER_DEAD, '5 times the visibility timeout (60 s)', ...LONGER],
  ],
  [
    'equal to 20 times the longest visibility timeout',
    864_000,
    0,
    43_200,
    20,
    [
      'warning',
      NEVER_DEAD,
      '20 times the visibility timeout (43,200 s)',
      'Set MessageRetentionPeriod to 1209600.',
      ['MessageRetentionPeriod', 1_209_600],
    ],
  ],
  [
    'too short for each number of receives',
    1_209_600,
    0,
    43_200,
    28,
    [
      'warning',
      NEVER_DEAD,
      '28 times the visibility timeout (43,200 s)',
      'Set maxReceiveCount to at most 27.',
      ['maxReceiveCount', 27],
    ],
  ],
  ['longer than all of these', 301, 60, 60, 5, undefined],
] as const) {
  test(`a retention period that is ${title}`, (t) => {
    const redrive = redriveOf({ maxReceiveCount: known(receives) })
    const settings = { retention: known(retention), delay: known(delay), visibilityTimeout: known(visibility), redrive }
    const problems = problemsOf('short-retention', mappingOf({ queue: queueOf(settings) }))
    t.strictSame(
      problems.map((problem) => {
        const [what, ...fix] = said(problem)
        const [, than] = String(what).split(', which is not longer than ')
        return [problem.resource.id, problem.severity, problem.why, than, ...fix]
      }),
      found === undefined ? [] : [['Queue', ...found]],
    )
    t.end()
  })
}

test('a queue that is its own dead-letter queue', (t) => {
  const redrive = redriveOf({}, { id: 'Queue' })
  const [problem, ...more] = problemsOf('no-redrive-policy', mappingOf({ queue: queueOf({ redrive }) }))
  t.match(problem, { resource: { id: 'Queue' }, setting: valueIn(redrive)?.arn })
  t.strictSame(problem && said(problem), [
    'The redrive policy names the queue itself as its dead-letter queue',
    'Set deadLetterTargetArn to the ARN of another queue.',
  ])
  t.strictSame(more, [])
  t.end()
})

test('too few receives are a problem of the queue', (t) => {
  const queue = queueOf({ redrive: redriveOf({ maxReceiveCount: known(4) }) })
  t.match(problemsOf('max-receive-count', mappingOf({ queue })), [{ resource: { id: 'Queue' } }])
  t.end()
})

test('the retention period of a dead-letter queue matters only for a standard queue', (t) => {
  const redrive = redriveOf({}, { retention: known(60) })
  const found = (fifo: boolean) => {
    const queue = queueOf({ fifo: known(fifo), retention: known(345_600), redrive })
    return problemsOf('dead-letter-retention', mappingOf({ queue })).map(({ resource }) => resource.id)
  }
  t.strictSame([found(false), found(true)], [['Dead'], []])
  t.end()
})

const CALLS = { inline: "import { isolateCrashes } from 'middy-bounded-sqs-batch/sqs'\nisolateCrashes({ client })" }
const ALLOWS_SENDING = { isInvokedOtherwise: () => false, mayDo: (action: string) => action === 'sqs:SendMessage' }

test('a function that calls isolateCrashes() needs a permission and memory', (t) => {
  const settings = { code: CALLS, ...ALLOWS_SENDING, memory: known(128) }
  t.strictSame(inFunction('missing-permission', settings), [
    [
      'The function calls isolateCrashes(), but no statement of its role allows sqs:ChangeMessageVisibility',
      'Allow sqs:ChangeMessageVisibility in the role of the function.',
    ],
  ])
  t.strictSame(inFunction('memory-for-sqs', settings), [
    [
      'The function calls isolateCrashes(), but its memory is 128 MB',
      'Set MemorySize to 512 or more.',
      ['MemorySize', 512],
    ],
  ])
  t.end()
})

test('what is not known of a function gives no finding about permissions, memory and failure settings', (t) => {
  const code = { ...CALLS, runtime: 'python3.14' }
  const unsearched = { code, ...ALLOWS_SENDING, memory: known(128) }
  t.strictSame(inFunction('missing-permission', unsearched), [])
  t.strictSame(inFunction('memory-for-sqs', unsearched), [])
  t.strictSame(inFunction('missing-permission', { code: CALLS }), [])
  t.strictSame(inFunction('unused-failure-settings', { deadLetterConfig: known(true) }), [])
  t.end()
})

test('a longer visibility timeout than the retention period needs a longer retention period, too', (t) => {
  for (const [seconds, fix] of [
    [60, 'Set VisibilityTimeout to 60. Set MessageRetentionPeriod to more than that.'],
    [61, 'Set VisibilityTimeout to 60.'],
  ] as const) {
    const queue = queueOf({ visibilityTimeout: known(20), retention: known(seconds) })
    const mapping = mappingOf({ function: functionOf({ timeout: known(10) }), queue, window: known(0) })
    t.equal(problemsOf('visibility-headroom', mapping)[0]?.fix, fix)
  }
  t.end()
})
