// What is listed as not checked, for mappings that are written as a model, without a template.
import { test } from 'tap'
import type { Mapping, Model } from '../../src/model/model.ts'
import { otherVersion, unreadFunction, unreadQueue } from '../../src/model/model.ts'
import { absent, invalid, known, unknown } from '../../src/model/setting.ts'
import { check } from '../support/doctor.ts'
import { functionOf, mappingOf, queueOf, redriveOf } from '../support/models.ts'

/** The findings of this rule: the resource, the message without its first words, and the fix. */
function listed(mappings: readonly Mapping[], model: Partial<Model> = {}) {
  const findings = check({ kind: 'state', model: { mappings, unreadResources: [], ...model } })
  return findings
    .filter(({ rule }) => rule === 'not-checked')
    .map(({ resource, message, fix }) => [resource, message.replace(/^Not checked: /, ''), fix])
}
function messages(mappings: readonly Mapping[]) {
  return listed(mappings).map(([resource, message]) => `${resource}: ${message}`)
}

const X = unknown('x')
const POSITION = { line: 4, column: 2 }

for (const [title, mapping, found] of [
  ['a memory size', mappingOf({ function: functionOf({ memory: X }) }), []],
  ['a batch size', mappingOf({ batchSize: X }), ['Orders: BatchSize. Reason: x.']],
  ['a pattern', mappingOf({ filters: known([X]) }), ['Orders: Pattern. Reason: x.']],
  [
    'the retention of a queue',
    mappingOf({ queue: queueOf({ retention: X }) }),
    ['Queue: MessageRetentionPeriod. Reason: x.'],
  ],
  [
    'the retention of a FIFO queue',
    mappingOf({ queue: queueOf({ fifo: known(true), retention: X }) }),
    ['Queue: MessageRetentionPeriod. Reason: x.'],
  ],
  [
    'the retention of a dead-letter queue',
    mappingOf({ queue: queueOf({ redrive: redriveOf({}, { retention: X }) }) }),
    ['Dead: MessageRetentionPeriod. Reason: x.'],
  ],
  [
    'the retention of the dead-letter queue of a FIFO queue',
    mappingOf({ queue: queueOf({ fifo: known(true), redrive: redriveOf({}, { retention: X }) }) }),
    [],
  ],
  [
    'the delay of a queue that keeps messages for 900 s',
    mappingOf({ queue: queueOf({ retention: known(900), delay: X }) }),
    ['Queue: DelaySeconds. Reason: x.'],
  ],
  [
    'the delay of a queue that keeps messages for 901 s',
    mappingOf({ queue: queueOf({ retention: known(901), delay: X }) }),
    [],
  ],
] as const) {
  test(`${title} is not known: ${found.length > 0 ? 'it is listed' : 'it is not listed'}`, (t) => {
    t.strictSame(messages([mapping]), found)
    t.end()
  })
}

test('a function that could not be read: its settings are one finding of the mapping, at the line of the function', (t) => {
  const mappings = [mappingOf({ function: unreadFunction('F', 'x', POSITION) })]
  const findings = check({ kind: 'template', file: 'a.yaml', model: { mappings, unreadResources: [] } })
  t.match(findings, [
    { rule: 'not-checked', resource: 'Orders', line: 4, message: 'Not checked: the settings of F. Reason: x.' },
  ])
  t.end()
})

test('a pinned version: its settings are not checked, and its code is not searched', (t) => {
  const code = { inline: 'x', build: { reason: 'y' } }
  const version = otherVersion('F:3', functionOf({ id: 'F', code }))
  t.strictSame(messages([mappingOf({ function: version })]), [
    'Orders: the settings of F:3. Reason: its versions may have other settings than F.',
  ])
  t.end()
})

const RESERVED = known(9, POSITION)
/** Mappings of one function with a reserved concurrency of 9. Each has a queue, and a maximum concurrency. */
function limited(...of: (Partial<Mapping> & { limit: number })[]): Mapping[] {
  const shared = functionOf({ reservedConcurrency: RESERVED })
  return of.map(({ limit, ...settings }, index) =>
    mappingOf({
      id: `M${index}`,
      function: shared,
      queue: queueOf({ id: `Q${index}` }),
      maximumConcurrency: known(limit),
      ...settings,
    }),
  )
}
const OFF = { runs: known(false) }
for (const [title, mappings, found] of [
  ['together above it, one is disabled', limited({ limit: 5 }, { limit: 5, ...OFF }), []],
  ['together above it, one may run', limited({ limit: 5 }, { limit: 5, runs: X }), ['info']],
  ['together exactly it, one may run', limited({ limit: 5 }, { limit: 4, runs: X }), []],
  ['alone above it, may run', limited({ limit: 10, runs: X }), ['info']],
  ['above it without one that may run', limited({ limit: 10 }, { limit: 5, runs: X }), ['error']],
] as const) {
  test(`the maximum concurrencies and the reserved concurrency: ${title}`, (t) => {
    const findings = check({ kind: 'template', model: { mappings, unreadResources: [] } })
    const above = findings.filter(({ rule }) => rule === 'concurrency-above-reserved')
    t.strictSame(
      above.map(({ severity }) => severity),
      found,
    )
    const isOpen = above.map(({ message }) => /is \d+, above .* of 9, if all of them are enabled/.test(message))
    t.strictSame(
      isOpen,
      found.map((severity) => severity === 'info'),
    )
    t.end()
  })
}

const QUEUE = queueOf()
/** Mappings of one queue, each with its own function. */
function readers(...of: Partial<Mapping>[]): Mapping[] {
  return of.map((settings, index) => {
    const id = `M${index}`
    return mappingOf({ id, function: functionOf({ id: `F${index}` }), queue: QUEUE, ...settings })
  })
}
function sameTime(names: string, reason: string) {
  return [`Queue: whether several mappings read the queue at the same time (${names}). Reason: ${reason}.`]
}
const PROD = { condition: { name: 'Prod', reason: 'prod?' } }
const DEV = { condition: { name: 'Dev', reason: 'dev?' } }
for (const [title, mappings, found] of [
  ['one mapping that may run', readers({ runs: X }), []],
  ['two that run', readers({}, {}), []],
  ['two with the same condition', readers(PROD, PROD), []],
  ['two with different conditions', readers(PROD, DEV), sameTime('M0, M1', 'prod?')],
  ['one with a condition', readers({}, DEV), sameTime('M0, M1', 'dev?')],
  ['one that may run', readers({}, { runs: X }), sameTime('M0, M1', 'x')],
  ['one that may run under a condition', readers({}, { ...DEV, runs: X }), sameTime('M0, M1', 'x')],
  ['one that may run, and a disabled one', readers({ runs: X }, OFF), []],
  ['two with different conditions, and a disabled one', readers(PROD, OFF, DEV), sameTime('M0, M2', 'prod?')],
] as const) {
  test(`the mappings of a queue: ${title}`, (t) => {
    t.strictSame(messages(mappings), found)
    t.end()
  })
}

test('a queue that could not be read: its settings are one finding of the mapping', (t) => {
  const queue = unreadQueue('Q', 'x')
  const what = 'the visibility timeout, redrive policy and retention of Q'
  t.strictSame(messages([mappingOf({ queue })]), [
    `Orders: ${what}, whether it is a FIFO queue, and whether other mappings read it. Reason: x.`,
  ])
  t.strictSame(messages([mappingOf({ queue: { ...queue, fifo: known(false) } })]), [`Orders: ${what}. Reason: x.`])
  t.end()
})

test('two mappings of a queue that could not be read, at one place: one finding', (t) => {
  const queue = unreadQueue('Q', 'x', POSITION)
  const [first, ...more] = listed([mappingOf({ queue }), mappingOf({ id: 'Other', queue })])
  t.match(first?.[1], /\. It applies to Orders, Other\.$/)
  t.strictSame(
    more.map(([resource]) => resource),
    [],
  )
  t.end()
})

for (const [title, fifo, deadFifo, found] of [
  [
    'of a standard queue',
    known(false),
    X,
    ['Queue: the retention of Dead, and whether it is a FIFO queue. Reason: y.'],
  ],
  ['of a standard queue, which is one, too', known(false), known(false), ['Queue: the retention of Dead. Reason: y.']],
  ['of a standard queue, which is a FIFO queue', known(false), known(true), []],
  ['of a FIFO queue', known(true), X, ['Queue: whether Dead is a FIFO queue. Reason: y.']],
  ['of a FIFO queue, which is one, too', known(true), known(true), []],
] as const) {
  test(`a dead-letter queue ${title}, that could not be read`, (t) => {
    const redrive = redriveOf({}, { fifo: deadFifo, retention: unknown('y'), unreadReason: 'y' })
    t.strictSame(messages([mappingOf({ queue: queueOf({ fifo, redrive }) })]), found)
    t.end()
  })
}

test('a dead-letter queue that could not be read, because the policy does not name it', (t) => {
  const redrive = redriveOf({ arn: absent }, { fifo: X, retention: unknown('y'), unreadReason: 'y' })
  t.strictSame(messages([mappingOf({ queue: queueOf({ fifo: known(false), redrive }) })]), [])
  t.end()
})

test('the retention of a dead-letter queue of two queues, at one place, is one finding', (t) => {
  const retention = unknown('y', POSITION)
  const redrive = redriveOf({}, { retention, unreadReason: 'y' })
  const [one, other] = ['A', 'B'].map((id) => mappingOf({ id, queue: queueOf({ id: `Queue${id}`, redrive }) }))
  t.strictSame(messages([one as Mapping, other as Mapping]), [
    'QueueA: the retention of Dead. Reason: y. It applies to QueueA, QueueB.',
  ])
  t.end()
})

for (const [title, mapping, severity] of [
  ['nothing', mappingOf({ function: unreadFunction('F', 'x'), queue: unreadQueue('Q', 'x') }), 'warning'],
  ['only the queue', mappingOf({ function: unreadFunction('F', 'x') }), 'info'],
  ['only the function', mappingOf({ queue: unreadQueue('Q', 'x') }), 'info'],
] as const) {
  test(`with --strict, a mapping of which ${title} could be read: ${severity}`, (t) => {
    const [finding] = check({ kind: 'template', strict: true, model: { mappings: [mapping], unreadResources: [] } })
    t.match(finding, { rule: 'not-checked', severity })
    t.end()
  })
}

test('a queue whose ARN AWS rejects is not listed, because it is an error', (t) => {
  const sourceArn = invalid('it is a URL', 'Set it to an ARN.')
  t.strictSame(messages([mappingOf({ sourceArn, queue: unreadQueue('Q', 'x') })]), [])
  t.end()
})

test('a value that AWS rejects is an error, and not listed', (t) => {
  const mapping = mappingOf({ batchSize: invalid('it is wrong', 'Correct it.', POSITION) })
  const findings = check({ kind: 'template', model: { mappings: [mapping], unreadResources: [] } })
  t.strictSame(
    findings.map(({ rule, message }) => [rule, message]),
    [['invalid-value', 'BatchSize: it is wrong. AWS rejects this value. Checks that depend on it were skipped.']],
  )
  t.end()
})
