import t from 'tap'
import { EXPERIMENTS, type Experiment, type Note, type Proof, type Report } from './experiments.ts'
import { type Name, SETUPS, type Setup } from './template.ts'

/** What an experiment finds. */
interface Found {
  readonly notes?: readonly object[]
  readonly reports?: readonly Report[]
  readonly letters?: readonly object[]
  readonly metrics?: Readonly<Record<string, number>>
  readonly throttles?: number
  readonly alarms?: readonly Name[]
  /** The responses of the invocations, in order. */
  readonly responses?: readonly object[]
}

function proofOf({
  notes = [],
  reports = [],
  letters = [],
  metrics = {},
  throttles = 0,
  alarms = [],
  responses = [],
}: Found): Proof {
  const left = [...responses]
  return {
    send: async () => {},
    enable: async () => {},
    sleep: async () => {},
    reserve: async () => {},
    invoke: async () => left.shift(),
    notes: async () => notes.map((note, at): Note => ({ requestId: '1', at, order: at, ...note })),
    reports: async () => [...reports],
    deadLetters: async () => [...letters],
    metric: async (_name, metric) => metrics[metric] ?? 0,
    throttles: async () => throttles,
    hasAlarmed: async (name) => alarms.includes(name),
    until: async (_seconds, read) => read(),
  }
}

const named = (name: string) => EXPERIMENTS.find((experiment) => experiment.name === name) as Experiment
const report = (status: string, durationMs: number): Report => ({ requestId: '1', status, durationMs })
const numbers = (length: number) => Array.from({ length }, (_, number) => number)
const fifoEvent = (groups: string) => ({ bodies: Array.from(groups, (group) => ({ group })) })
const fifoDone = (group: string, order: readonly number[]) => order.map((number) => ({ done: { group, number } }))
/** A batch with three messages of a group, and their later deliveries after these seconds. */
const groupNotes = (delay: string, ...seconds: number[]) => {
  const bodies = [0, 1, 2].map((number) => ({ group: `delay-${delay}`, number }))
  return [{ at: 0, bodies }, ...seconds.map((second, index) => ({ at: second * 1000, bodies: [bodies[index + 1]] }))]
}
const groupWithout = 'a FIFO group after a partial failure, without a delay'
const groupWith = 'a FIFO group after a partial failure, its failed message delayed by 90 s'
const throttled = '6 messages for a function with a reserved concurrency of 1, and invocations of 10 s'
const receives = (...counts: number[]) => [{ bodies: counts.map((receive, number) => ({ number, receive })) }]
const polling = '100 messages, of which a part fails at each of 20 deliveries'
/** Twenty deliveries of five messages. The first five gaps have 6 s, and the later ones these seconds. */
const polledNotes = (later: number, deliveries = 20) =>
  numbers(deliveries).map((index) => ({
    at: 1000 * (6 * Math.min(index, 5) + later * Math.max(0, index - 5)),
    bodies: numbers(5).map((number) => ({ number, receive: index + 1 })),
  }))
const failing = { bodies: numbers(10).map((number) => ({ fails: number < 3 })) }
const failed = { bodies: numbers(3).map(() => ({ fails: true })) }
const late = 'a response after the timeout'
const cpu = 'CPU share at 128 MB'
const events = 'EventCount with ReportBatchItemFailures'
const counts = { PolledEventCount: 13, InvokedEventCount: 13, FailedInvokeEventCount: 6, DeletedEventCount: 7 }
const alarm = 'the alarm of examples/deploy'
const large = '30,000 messages of 100 bytes with a batch size of 10,000'
const hanging = '1,000 calls of fetch() that hang, at 128 MB and with a timeout of 10 s'
const loop = 'a function that sends its message to its own queue again'
const rounds = (length: number) => numbers(length).map((number) => ({ round: number + 1 }))

/** What is as expected and only on AWS. local.test.ts and deliveries.test.ts observe the other experiments. */
const AS_EXPECTED: [name: string, found: Found][] = [
  [groupWithout, { notes: groupNotes('none', 59, 61) }],
  [groupWith, { notes: groupNotes('90', 130, 130) }],
  [throttled, { notes: receives(1, 1, 1, 1, 1, 1), throttles: 1 }],
  [cpu, { responses: [{ share: 0.0724 }] }],
  [late, { notes: [{}], letters: [{}], reports: [report('timeout', 5000), report('timeout', 5000)] }],
  [events, { metrics: counts }],
  [alarm, { alarms: ['reportsOff'] }],
  [large, { notes: [7000, 10].map((records) => ({ records, bytes: 6_291_456 })) }],
  [hanging, { notes: [{ records: 900 }, { records: 100 }], reports: [9850, 9100].map((ms) => report('success', ms)) }],
  [loop, { notes: rounds(16), letters: [{ round: 17 }] }],
]

/** ignored-delays.test.ts has more. */
const DIFFERS: [name: string, found: Found][] = [
  [groupWithout, { notes: groupNotes('none', 58.9, 61) }],
  [groupWithout, { notes: groupNotes('none', 62, 61) }],
  [groupWithout, { notes: groupNotes('none', 61) }],
  [groupWith, { notes: groupNotes('90', 60, 61) }],
  [throttled, { notes: receives(1, 1, 2, 1, 3, 1), throttles: 8 }],
  [throttled, { notes: receives(1, 1, 1, 1, 1, 1) }],
  [polling, { notes: polledNotes(13) }],
  ['flags of Node in nodejs22.x', { responses: [{ execArgv: [], required: 'loaded' }] }],
  ['file descriptors', { responses: [{ limit: 65535, code: 'EMFILE' }] }],
  [cpu, { responses: [{ share: 0.49 }] }],
  ['a timer after the response', { responses: [{}, { paused: 10_100, ticks: 21 }] }],
  ['the response {}', { notes: [{ title: 'the response {}' }], letters: [{ title: 'the response {}' }] }],
  [late, { notes: [{}], reports: [report('success', 4000), report('timeout', 5000)] }],
  ['100 messages, of which 10 fail once', { notes: [{ bodies: numbers(100).map((number) => ({ number })) }] }],
  [
    'failed messages without ReportBatchItemFailures',
    { notes: [failing, failed, { summary: { records: 10, reported: 3 } }, { summary: { records: 3, reported: 3 } }] },
  ],
  ['failed messages with ReportBatchItemFailures', { notes: [failing], letters: [] }],
  [events, { metrics: { ...counts, FailedInvokeEventCount: 0 } }],
  [alarm, { alarms: ['reportsOff', 'reportsOn'] }],
  [large, { notes: [{ records: 6999, bytes: 5_600_000 }, { summary: { records: 30_000 } }] }],
  [large, { notes: [{ records: 7000, bytes: 6_291_457 }] }],
  [hanging, { notes: [{ records: 900 }], reports: [report('success', 9000), report('timeout', 10_000)] }],
  [hanging, { notes: [{ records: 99 }], reports: [report('success', 9000)] }],
  ['a visibility timeout below the batching window', { notes: [{ ids: ['a', 'a', 'a'] }, { listed: ['a', 'a'] }] }],
  [
    'a FIFO queue with three message groups, one message of which fails once',
    {
      notes: [
        fifoEvent('abc'),
        ...fifoDone('a', numbers(10)),
        ...fifoDone('b', numbers(10).reverse()),
        ...fifoDone('c', numbers(10)),
      ],
    },
  ],
  [loop, { notes: rounds(30) }],
]

for (const [title, cases] of Object.entries({ 'as expected': AS_EXPECTED, 'not as expected': DIFFERS })) {
  t.test(`what is observed is ${title}`, async (t) => {
    for (const [name, found] of cases) {
      const { observed, asExpected } = await named(name).observe(proofOf(found))
      t.equal(asExpected, cases === AS_EXPECTED, `${name}: ${observed}`)
    }
  })
}

t.test('nothing is concluded about a group in two batches, or from missing deliveries', async (t) => {
  const rejects = (name: string, notes: object[], message: string) =>
    t.rejects(named(name).observe(proofOf({ notes })), { message })
  await rejects(groupWithout, groupNotes('none', 60, 61).slice(1), 'the messages of the group were not in one batch')
  await rejects(throttled, receives(1, 1, 1, 1, 1), 'only 5 of 6 messages were delivered')
  await rejects(polling, polledNotes(6, 19), 'no message was delivered 20 times')
})

t.test('no experiment accepts that nothing was observed', async (t) => {
  for (const experiment of EXPERIMENTS) {
    const found = await experiment.observe(proofOf({ responses: [{ execArgv: [] }] })).then(
      ({ asExpected }) => asExpected,
      () => false,
    )
    t.equal(found, false, experiment.name)
  }
})

t.test('the names of the experiments differ', async (t) => {
  const names = EXPERIMENTS.map(({ name }) => name)
  t.equal(new Set(names).size, names.length)
})

t.test('the estimate of the costs counts the messages that the experiments send', async (t) => {
  const sent: Partial<Record<Name, number>> = {}
  const proof: Proof = {
    ...proofOf({}),
    send: async (name, bodies) => {
      sent[name] = (sent[name] ?? 0) + bodies.length
    },
  }
  for (const { send } of EXPERIMENTS) await send?.(proof)
  for (const [name, { queue }] of Object.entries(SETUPS) as [Name, Setup][]) {
    const resent = name === 'loop' ? 29 : 0 // by the function
    t.equal((sent[name] ?? 0) + resent, queue?.messages ?? 0, name)
  }
})
