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
const hanging = '1,000 calls of fetch() that hang, at 128 MB and with a timeout of 10 s'
const large = '30,000 messages of 100 bytes with a batch size of 10,000'
const fifo = 'a FIFO queue with three message groups, one message of which fails once'
const loop = 'a function that sends its message to its own queue again'
const twice = 'a visibility timeout below the batching window'
const hundred = '100 messages, of which 10 fail once'
const off = 'failed messages without ReportBatchItemFailures'
const on = 'failed messages with ReportBatchItemFailures'
const stays = 'the function sets the visibility timeout of its message, before a crash'
/** The notes of a message whose delivery after `seconds` comes `delay` milliseconds later. */
const setAndAgain = (seconds: number, delay?: number) => {
  const body = { end: 'a crash', seconds }
  const again = { at: 1000 + Number(delay), bodies: [{ ...body, receive: 2 }] }
  return [{ at: 900, bodies: [{ ...body, receive: 1 }] }, { at: 1000, set: body }, ...(delay ? [again] : [])]
}
const others = { end: 'an error', seconds: 90, receive: 2 }
const exitsWithout = 'a message that ends the process among 200, without isolateCrashes()'
const exitsWith = 'a message that ends the process among 200, with isolateCrashes()'
const exiting = { number: 100, exits: true }
const OTHERS = numbers(200).flatMap((number) => (number === exiting.number ? [] : [{ number }]))
/** The first batch of the message, with so many others. */
const crashed = (length: number) => ({ requestId: 'crashed', bodies: [...OTHERS.slice(0, length), exiting] })
/** A batch that responds, with all others from the position on. */
const processed = (from: number) => [
  { requestId: 'responded', bodies: OTHERS.slice(from) },
  { requestId: 'responded', summary: {} },
]
const dead = (length: number) => [...OTHERS.slice(0, length), exiting]
const backoff = 'retryBackoff({ base: 10 }) over four deliveries of 60 messages'
/** Four deliveries of 60 messages, each in a batch of its own. The delays of a message grow with its number. */
const delivered = (ranges: readonly (readonly [least: number, most: number])[], last = 60) =>
  numbers(60).flatMap((number) => {
    let at = 0
    const delays = ranges.map(([least, most]) => (least + ((most - least) * number) / 59) * 1000)
    return [0, ...delays].slice(0, number < last ? 4 : 3).flatMap((delay, index) => {
      at += delay + 100
      const requestId = `${number} ${index}`
      return [
        { requestId, at: at - 100, bodies: [{ number, receive: index + 1 }] },
        { requestId, at, summary: {} },
      ]
    })
  })
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

/** What is as expected on `local`, local.test.ts and deliveries.test.ts observe there. */
const CASES: [name: string, found: Found, observed: string, asExpected: boolean][] = [
  [
    stays,
    { notes: [...setAndAgain(10, 8999), ...setAndAgain(90, 130_000)] },
    'set to 10 s: redelivered after 9.0 s; set to 90 s: redelivered after 130.0 s',
    false,
  ],
  [
    stays,
    { notes: [...setAndAgain(10, 10_400), ...setAndAgain(90), { at: 91_000, bodies: [others] }] },
    'set to 10 s: redelivered after 10.4 s; set to 90 s: not redelivered',
    false,
  ],
  [
    exitsWithout,
    { notes: [crashed(100), ...processed(50)], letters: dead(50) },
    '50 of the 100 others in its first batch are dead-lettered',
    false,
  ],
  [
    exitsWith,
    { notes: [crashed(100), ...processed(0)], letters: dead(21) },
    '21 of the 100 others in its first batch are dead-lettered',
    false,
  ],
  [
    backoff,
    {
      notes: delivered(
        [
          [5, 10],
          [10, 20],
          [20, 40],
        ],
        59,
      ),
    },
    '59 are redelivered after 5.0 to 10.0 s, 10.0 to 20.0 s, 20.0 to 39.7 s',
    false,
  ],
  [groupWithout, { notes: groupNotes('none', 59, 61) }, 'the rest returns after 59.0 s, in order', true],
  [groupWithout, { notes: groupNotes('none', 58.9, 61) }, 'the rest returns after 58.9 s, in order', false],
  [groupWithout, { notes: groupNotes('none', 62, 61) }, 'the rest returns after 62.0 s, not in order', false],
  [groupWithout, { notes: groupNotes('none', 61) }, 'the rest does not return', false],
  [groupWith, { notes: groupNotes('90', 130, 130) }, 'the rest returns after 130.0 s, in order', true],
  [groupWith, { notes: groupNotes('90', 60, 61) }, 'the rest returns after 60.0 s, in order', false],
  [
    throttled,
    { notes: receives(1, 1, 1, 1, 1, 1), throttles: 1 },
    'Lambda throttles invocations, and each message is received once',
    true,
  ],
  [
    throttled,
    { notes: receives(1, 1, 2, 1, 3, 1), throttles: 8 },
    'Lambda throttles invocations, and each message is received up to 3 times',
    false,
  ],
  [
    throttled,
    { notes: receives(1, 1, 1, 1, 1, 1) },
    'Lambda does not throttle invocations, and each message is received once',
    false,
  ],
  [polling, { notes: polledNotes(13) }, 'the first deliveries are 6.0 s apart, the last 13.0 s', false],
  [
    'flags of Node in nodejs22.x',
    { responses: [{ execArgv: [], required: 'loaded' }] },
    'neither flag; require() of an ES module: loaded',
    false,
  ],
  ['file descriptors', { responses: [{ limit: 65535, code: 'EMFILE' }] }, 'a limit of 65535, then EMFILE', false],
  ['CPU share at 128 MB', { responses: [{ share: 0.0724 }] }, '7.2 % of a CPU', true],
  ['CPU share at 128 MB', { responses: [{ share: 0.49 }] }, '49.0 % of a CPU', false],
  [
    'a timer after the response',
    { responses: [{}, { paused: 10_100, ticks: 21 }] },
    'fires 21 of 101 times in 10 s',
    false,
  ],
  [
    'the response {}',
    { notes: [{ title: 'the response {}' }], letters: [{ title: 'the response {}' }] },
    'redelivered',
    false,
  ],
  [
    'a response after the timeout',
    { notes: [{}], letters: [{}], reports: [report('timeout', 5000), report('timeout', 5000)] },
    'timeout, redelivered',
    true,
  ],
  [
    'a response after the timeout',
    { notes: [{}], reports: [report('success', 4000), report('timeout', 5000)] },
    'success and timeout, deleted',
    false,
  ],
  [
    hundred,
    { notes: [{ bodies: numbers(100).map((number) => ({ number })) }] },
    '100 are delivered once, 0 twice',
    false,
  ],
  [
    off,
    { notes: [failing, failed, { summary: { records: 10, reported: 3 } }, { summary: { records: 3, reported: 3 } }] },
    '6 of 13 are reported, 3 are redelivered',
    false,
  ],
  [on, { notes: [failing], letters: [] }, '7 of 10 are deleted, 0 are dead-lettered after 1 deliveries', false],
  [
    'EventCount with ReportBatchItemFailures',
    { metrics: { PolledEventCount: 13, InvokedEventCount: 13, FailedInvokeEventCount: 6, DeletedEventCount: 7 } },
    'PolledEventCount 13, InvokedEventCount 13, FailedInvokeEventCount 6, DeletedEventCount 7',
    true,
  ],
  [
    'EventCount without ReportBatchItemFailures',
    { metrics: { PolledEventCount: 10, InvokedEventCount: 10, DeletedEventCount: 7 } },
    'PolledEventCount 10, InvokedEventCount 10, FailedInvokeEventCount 0, DeletedEventCount 7',
    false,
  ],
  [
    'the alarm of examples/deploy',
    { alarms: ['reportsOff'] },
    'ALARM without ReportBatchItemFailures, no ALARM with it',
    true,
  ],
  [
    'the alarm of examples/deploy',
    { alarms: ['reportsOff', 'reportsOn'] },
    'ALARM without ReportBatchItemFailures, ALARM with it',
    false,
  ],
  [
    large,
    {
      notes: [
        { records: 7000, bytes: 5_600_000 },
        { records: 10, bytes: 6_291_456 },
      ],
    },
    'the largest event has 7,000 records, and 6.29 MB',
    true,
  ],
  [
    large,
    { notes: [{ records: 6999, bytes: 5_600_000 }, { summary: { records: 30_000 } }] },
    'the largest event has 6,999 records, and 5.60 MB',
    false,
  ],
  [large, { notes: [{ records: 7000, bytes: 6_291_457 }] }, 'the largest event has 7,000 records, and 6.29 MB', false],
  [
    hanging,
    { notes: [{ records: 900 }, { records: 100 }], reports: [report('success', 9850.4), report('success', 9100)] },
    '0 of 2 invocations are late; the slowest takes 9,850 ms; up to 900 records',
    true,
  ],
  [
    hanging,
    { notes: [{ records: 900 }], reports: [report('success', 9000), report('timeout', 10_000)] },
    '1 of 2 invocations are late; the slowest takes 10,000 ms; up to 900 records',
    false,
  ],
  [
    hanging,
    { notes: [{ records: 99 }], reports: [report('success', 9000)] },
    '0 of 1 invocations are late; the slowest takes 9,000 ms; up to 99 records',
    false,
  ],
  [
    twice,
    { notes: [{ ids: ['a', 'a', 'a'] }, { listed: ['a', 'a'] }] },
    'a message is in an event 3 times, is listed more than once, and is not redelivered',
    false,
  ],
  [
    fifo,
    { notes: [fifoEvent('aa'), ...['a', 'b', 'c'].flatMap((group) => fifoDone(group, numbers(10)))] },
    'a batch has 1 groups; 3 of 3 groups are processed in order, and completely',
    false,
  ],
  [
    fifo,
    {
      notes: [
        fifoEvent('abc'),
        ...fifoDone('a', numbers(10)),
        ...fifoDone('b', numbers(10).reverse()),
        ...fifoDone('c', numbers(9)),
      ],
    },
    'a batch has 3 groups; 1 of 3 groups are processed in order, and completely',
    false,
  ],
  [
    loop,
    { notes: numbers(16).map((number) => ({ round: number + 1 })), letters: [{ round: 17 }] },
    'is stopped after 16 invocations; the message is dead-lettered',
    true,
  ],
  [
    loop,
    { notes: numbers(30).map((number) => ({ round: number + 1 })) },
    'is stopped after 30 invocations; the message is not dead-lettered',
    false,
  ],
]

for (const [name, found, observed, asExpected] of CASES) {
  t.test(`${name}: ${observed}`, async (t) => {
    t.strictSame(await named(name).observe(proofOf(found)), { observed, asExpected })
  })
}

t.test('a message that ends the process: nothing is concluded from a run that is not complete', async (t) => {
  const rejects = (found: Found, message: string) => t.rejects(named(exitsWith).observe(proofOf(found)), { message })
  await rejects({ notes: processed(0) }, 'the message that ends the process was not delivered')
  const unsettled = 'some messages were neither processed nor dead-lettered'
  await rejects({ notes: [crashed(100), ...processed(0)] }, unsettled)
  await rejects({ notes: [crashed(100), ...processed(11)], letters: dead(10) }, unsettled)
  await rejects({ notes: [crashed(100), ...processed(10).slice(0, 1)], letters: dead(10) }, unsettled)
  const small = 'the first batch of the message had only 9 others'
  await rejects({ notes: [crashed(9), ...processed(0)], letters: dead(0) }, small)
})

t.test('a visibility timeout: nothing is concluded if the function has not set it', async (t) => {
  const notes = [...setAndAgain(10, 10_000), { at: 91_000, bodies: [{ end: 'a crash', seconds: 90, receive: 2 }] }]
  await t.rejects(named(stays).observe(proofOf({ notes })), { message: 'the function did not set both timeouts' })
})

t.test(
  'nothing is concluded about a group that was not in one batch, or from deliveries that are missing',
  async (t) => {
    const rejects = (name: string, notes: object[], message: string) =>
      t.rejects(named(name).observe(proofOf({ notes })), { message })
    const [first, second] = groupNotes('none', 60, 61).slice(1)
    await rejects(groupWithout, [first as object, second as object], 'the messages of the group were not in one batch')
    await rejects(throttled, receives(1, 1, 1, 1, 1), 'only 5 of 6 messages were delivered')
    await rejects(polling, polledNotes(6, 19), 'no message was delivered 20 times')
  },
)

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
