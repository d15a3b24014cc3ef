/** The experiments: what is expected, what is sent, and what is observed. All of them send before the first observes. */
import { deliveryExperiments } from './deliveries.ts'
import { mappingExperiments } from './mappings.ts'
import { ALARM_PERIOD, type Name } from './template.ts'

/** A line that a function wrote into its log. */
export interface Note {
  readonly requestId: string
  /** When it was written, in milliseconds since 1970. */
  readonly at: number
  /** Its number in its execution environment. */
  readonly order: number
  // biome-ignore lint/suspicious/noExplicitAny: each function writes its own
  readonly [field: string]: any
}

/** How an invocation ended, from the log of Lambda. */
export interface Report {
  readonly requestId: string
  readonly status: string
  readonly durationMs: number
}

/** What an experiment can do on AWS. */
export interface Proof {
  send(name: Name, bodies: readonly object[]): Promise<void>
  /** Enables the mapping of a function. */
  enable(name: Name): Promise<void>
  /** Limits how many invocations of a function run at the same time. */
  reserve(name: Name, executions: number): Promise<void>
  /** Invokes a function without a queue. Returns its response. */
  // biome-ignore lint/suspicious/noExplicitAny: each function returns its own
  invoke(name: Name): Promise<any>
  /** The notes of a function since the start of the run, in order. */
  notes(name: Name): Promise<Note[]>
  reports(name: Name): Promise<Report[]>
  /** The bodies of the messages that were dead-lettered since the start of the run. */
  // biome-ignore lint/suspicious/noExplicitAny: each experiment sends its own
  deadLetters(name: Name): Promise<any[]>
  /** The sum of a metric of the function's mapping since the start of the run. */
  metric(name: Name, metric: string): Promise<number>
  /** How many invocations of a function Lambda has refused since the start of the run. */
  throttles(name: Name): Promise<number>
  /** Whether the alarm of the function has been in the state ALARM. */
  hasAlarmed(name: Name): Promise<boolean>
  /** Reads until `isDone`, or until the seconds since `from` (default: now) have passed. Returns the last value. */
  until<T>(seconds: number, read: () => Promise<T>, isDone: (value: T) => boolean, from?: number): Promise<T>
  sleep(seconds: number): Promise<void>
}

export interface Observation {
  readonly observed: string
  readonly asExpected: boolean
}

export interface Experiment {
  readonly name: string
  readonly expected: string
  /** The page of the Lambda guide that says so. Without one, nobody documents it, and this package assumes it. */
  readonly source?: string
  send?(proof: Proof): Promise<unknown>
  observe(proof: Proof): Promise<Observation>
}

const equals = (observed: string, expected: string): Observation => ({ observed, asExpected: observed === expected })
const count = (number: number) => number.toLocaleString('en-US')

/** Seconds after a delivery within which a message of a batch that failed is dead-lettered. */
const DEAD_LETTERED_WITHIN = 60
/** Seconds that a first invocation may need. */
const INVOKED_WITHIN = 120

/** The notes of a function, once there is one. */
async function firstNotes(
  proof: Proof,
  name: Name,
  isOne: (note: Note) => boolean = () => true,
): Promise<[Note, ...Note[]]> {
  const read = async () => (await proof.notes(name)).filter(isOne)
  const notes = await proof.until(INVOKED_WITHIN, read, ({ length }) => length > 0)
  const [first, ...others] = notes
  if (!first) throw new Error(`no invocation of ${name} within ${INVOKED_WITHIN} s`)
  return [first, ...others]
}

/** Whether a message that was delivered stays deleted, or returns until it is dead-lettered. */
async function fateOf(
  proof: Proof,
  name: Name,
  isIt: (body: { readonly title?: unknown; readonly [field: string]: unknown }) => boolean = () => true,
) {
  const [{ at }] = await firstNotes(proof, name, isIt)
  const letters = await proof.until(
    DEAD_LETTERED_WITHIN,
    () => proof.deadLetters(name),
    (bodies) => bodies.some(isIt),
    at,
  )
  return letters.some(isIt) ? 'redelivered' : 'deleted'
}

function nodeFlags(name: string, fn: Name): Experiment {
  const flags = ['--no-experimental-require-module', '--no-experimental-detect-module']
  return {
    name,
    expected: `${flags.join(' ')}; require() of an ES module: ERR_REQUIRE_ESM`,
    source: 'lambda-nodejs',
    async observe(proof) {
      const { execArgv, required } = await proof.invoke(fn)
      const found = flags.filter((flag) => execArgv.includes(flag))
      return equals(`${found.join(' ') || 'neither flag'}; require() of an ES module: ${required}`, this.expected)
    },
  }
}

function response(text: string, value: unknown, expected: 'deleted' | 'redelivered', source?: string): Experiment {
  const title = `the response ${text}`
  return {
    name: title,
    expected,
    ...(source ? { source } : {}),
    send: (proof) => proof.send('respond', [{ title, response: value }]),
    observe: async (proof) => equals(await fateOf(proof, 'respond', (body) => body.title === title), expected),
  }
}

const ERRORS = 'services-sqs-errorhandling'
const id = (itemIdentifier: unknown) => ({ batchItemFailures: [{ itemIdentifier }] })

/** Ten messages, of which three always fail. */
const tenWithThreeFailures = Array.from({ length: 10 }, (_, number) => ({ number, fails: number < 3 }))

/** Waits for the first two minutes of a period of the alarm, so that all metrics of its messages are in one period. */
async function waitForPeriod(proof: Proof): Promise<void> {
  const passed = (Date.now() / 1000) % ALARM_PERIOD
  if (passed > 120) await proof.sleep(ALARM_PERIOD - passed)
}

/** The metrics of a mapping for `tenWithThreeFailures`. */
function eventCount(name: string, fn: Name, expected: Record<string, number>): Experiment {
  const show = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([metric, value]) => `${metric} ${value}`)
      .join(', ')
  return {
    name,
    expected: show(expected),
    source: 'monitoring-metrics-types',
    async observe(proof) {
      async function read() {
        const counts: Record<string, number> = {}
        for (const metric of Object.keys(expected)) counts[metric] = await proof.metric(fn, metric)
        return show(counts)
      }
      return equals(await proof.until(600, read, (counts) => counts === this.expected), this.expected)
    },
  }
}

const LARGE_MESSAGES = 30_000
const GROUPS = ['a', 'b', 'c']
const GROUP_SIZE = 10

export const EXPERIMENTS: readonly Experiment[] = [
  ...deliveryExperiments(200),
  ...mappingExperiments,
  nodeFlags('flags of Node in nodejs22.x', 'flags22'),
  nodeFlags('flags of Node in nodejs24.x', 'flags24'),
  {
    name: 'require() of an ES module with NODE_OPTIONS=--experimental-require-module',
    expected: 'loaded',
    source: 'lambda-nodejs',
    observe: async (proof) => equals((await proof.invoke('flagsAllowed')).required, 'loaded'),
  },
  {
    name: 'file descriptors',
    expected: 'a limit of 1024, then EMFILE',
    source: 'gettingstarted-limits',
    async observe(proof) {
      const { limit, code } = await proof.invoke('descriptors')
      return equals(`a limit of ${limit}, then ${code}`, this.expected)
    },
  },
  {
    name: 'CPU share at 128 MB',
    expected: '5 % to 10 % of a CPU (128 ÷ 1,769 is 7.2 %)',
    source: 'configuration-memory',
    async observe(proof) {
      const { share } = await proof.invoke('cpuShare')
      return { observed: `${(share * 100).toFixed(1)} % of a CPU`, asExpected: share >= 0.05 && share <= 0.1 }
    },
  },
  {
    name: 'a timer after the response',
    expected: 'fires at most a fifth of the times, because Lambda freezes the environment',
    source: 'lambda-runtime-environment',
    async observe(proof) {
      let result = await proof.invoke('freeze')
      // Another environment may take the next invocation.
      for (let tries = 0; tries < 4 && result.paused === undefined; tries++) {
        await proof.sleep(10)
        result = await proof.invoke('freeze')
      }
      if (result.paused === undefined) throw new Error('each invocation had another environment')
      const { paused, ticks } = result
      const possible = Math.round(paused / 100)
      // The timer can fire before the environment is frozen, and once when it continues.
      return {
        observed: `fires ${ticks} of ${possible} times in ${Math.round(paused / 1000)} s`,
        asExpected: ticks <= possible / 5,
      }
    },
  },
  response('{}', {}, 'deleted', ERRORS),
  response('null', null, 'deleted', ERRORS),
  response('undefined', undefined, 'deleted', ERRORS),
  response('{ batchItemFailures: [] }', { batchItemFailures: [] }, 'deleted', ERRORS),
  response('{ batchItemFailures: null }', { batchItemFailures: null }, 'deleted', ERRORS),
  response('with the id of the message', id('MESSAGE_ID'), 'redelivered', ERRORS),
  response('with an unknown id', id('unknown'), 'redelivered', ERRORS),
  response('with an empty id', id(''), 'redelivered', ERRORS),
  response('with an id of null', id(null), 'redelivered', ERRORS),
  response('with the id under another key', { batchItemFailures: [{ id: 'MESSAGE_ID' }] }, 'redelivered', ERRORS),
  response('true', true, 'redelivered'),
  response('[]', [], 'redelivered'),
  {
    name: 'a response after the timeout',
    expected: 'timeout, redelivered',
    source: ERRORS,
    send: (proof) => proof.send('tooLate', [{}]),
    async observe(proof) {
      const fate = await fateOf(proof, 'tooLate')
      const statuses = new Set((await proof.reports('tooLate')).map(({ status }) => status))
      return equals(`${[...statuses].join(' and ')}, ${fate}`, this.expected)
    },
  },
  {
    name: '100 messages, of which 10 fail once',
    expected: '90 are delivered once, 10 twice',
    source: ERRORS,
    send: (proof) =>
      proof.send(
        'failsOnce',
        Array.from({ length: 100 }, (_, number) => ({ number, failsOnce: number % 10 === 0 })),
      ),
    async observe(proof) {
      const read = async () => {
        const numbers = (await proof.notes('failsOnce')).flatMap(({ bodies = [] }) =>
          bodies.map((body: { number: number }) => body.number),
        )
        const deliveries = Map.groupBy(numbers, (number) => number)
        const delivered = (times: number) => [...deliveries.values()].filter(({ length }) => length === times).length
        return `${delivered(1)} are delivered once, ${delivered(2)} twice`
      }
      await firstNotes(proof, 'failsOnce')
      return equals(await proof.until(120, read, (text) => text === this.expected), this.expected)
    },
  },
  // Without ReportBatchItemFailures, Lambda ignores the response.
  {
    name: 'failed messages without ReportBatchItemFailures',
    expected: '3 of 10 are reported, 0 are redelivered',
    source: ERRORS,
    async send(proof) {
      await waitForPeriod(proof) // also for the next experiment
      await proof.send('reportsOff', tenWithThreeFailures)
    },
    async observe(proof) {
      const [{ at }] = await firstNotes(proof, 'reportsOff')
      const notes = await proof.until(
        DEAD_LETTERED_WITHIN,
        () => proof.notes('reportsOff'),
        () => false,
        at,
      )
      const delivered = notes.flatMap(({ bodies = [] }) => bodies)
      const redelivered = delivered.filter((body) => body.fails).length - 3
      const reported = `${sumOf(notes, 'reported')} of ${sumOf(notes, 'records')} are reported`
      return equals(`${reported}, ${redelivered} are redelivered`, this.expected)
    },
  },
  {
    name: 'failed messages with ReportBatchItemFailures',
    expected: '7 of 10 are deleted, 3 are dead-lettered after 2 deliveries',
    source: ERRORS,
    send: (proof) => proof.send('reportsOn', tenWithThreeFailures),
    async observe(proof) {
      const [{ at }] = await firstNotes(proof, 'reportsOn')
      const letters = await proof.until(
        DEAD_LETTERED_WITHIN,
        () => proof.deadLetters('reportsOn'),
        ({ length }) => length >= 3,
        at,
      )
      const delivered = (await proof.notes('reportsOn')).flatMap(({ bodies = [] }) => bodies)
      const deliveries = (fails: boolean) => delivered.filter((body) => body.fails === fails).length
      return equals(
        `${deliveries(false)} of 10 are deleted, ${letters.length} are dead-lettered after ${deliveries(true) / 3} deliveries`,
        this.expected,
      )
    },
  },
  // FailedInvokeEventCount counts the messages that a response reports.
  eventCount('EventCount with ReportBatchItemFailures', 'reportsOn', {
    PolledEventCount: 13,
    InvokedEventCount: 13,
    FailedInvokeEventCount: 6,
    DeletedEventCount: 7,
  }),
  eventCount('EventCount without ReportBatchItemFailures', 'reportsOff', {
    PolledEventCount: 10,
    InvokedEventCount: 10,
    FailedInvokeEventCount: 0,
    DeletedEventCount: 10,
  }),
  {
    name: 'the alarm of examples/deploy',
    expected: 'ALARM without ReportBatchItemFailures, no ALARM with it',
    async observe(proof) {
      const off = await proof.until(
        900,
        () => proof.hasAlarmed('reportsOff'),
        (hasAlarmed) => hasAlarmed,
      )
      const on = await proof.hasAlarmed('reportsOn')
      const state = (hasAlarmed: boolean) => (hasAlarmed ? 'ALARM' : 'no ALARM')
      return equals(`${state(off)} without ReportBatchItemFailures, ${state(on)} with it`, this.expected)
    },
  },
  {
    name: `${count(LARGE_MESSAGES)} messages of 100 bytes with a batch size of 10,000`,
    expected: 'an event of 7,000 records or more, none above 6 MB',
    source: 'services-sqs-configure',
    async send(proof) {
      const padding = 'x'.repeat(53)
      await proof.send(
        'large',
        Array.from({ length: LARGE_MESSAGES }, (_, number) => ({ number: String(number).padStart(5, '0'), padding })),
      )
      await proof.enable('large')
    },
    async observe(proof) {
      const notes = await proof.until(
        300,
        () => proof.notes('large'),
        (notes) => sumOf(notes, 'records') >= LARGE_MESSAGES,
      )
      const events = notes.filter(({ records }) => records !== undefined)
      if (events.length === 0) throw new Error('no invocation within 300 s')
      const records = Math.max(...events.map((event) => event.records))
      const bytes = Math.max(...events.map((event) => event.bytes))
      return {
        observed: `the largest event has ${count(records)} records, and ${(bytes / 1e6).toFixed(2)} MB`,
        asExpected: records >= 7000 && bytes <= 6 * 1024 ** 2,
      }
    },
  },
  {
    name: '1,000 calls of fetch() that hang, at 128 MB and with a timeout of 10 s',
    expected: 'each invocation responds before its timeout',
    send: (proof) =>
      proof.send(
        'hangingFetch',
        Array.from({ length: 1000 }, (_, number) => ({ number })),
      ),
    async observe(proof) {
      await proof.until(
        180,
        () => proof.notes('hangingFetch'),
        (notes) => sumOf(notes, 'reported') >= 1000,
      )
      const events = (await firstNotes(proof, 'hangingFetch')).filter(({ records }) => records !== undefined)
      const records = Math.max(...events.map((event) => event.records))
      const reports = await proof.until(
        60,
        () => proof.reports('hangingFetch'),
        ({ length }) => length >= events.length,
      )
      if (reports.length === 0) throw new Error('the log has no report of an invocation')
      const late = reports.filter(({ status }) => status !== 'success').length
      const slowest = Math.max(...reports.map(({ durationMs }) => durationMs))
      return {
        observed: `${late} of ${reports.length} invocations are late; the slowest takes ${count(Math.round(slowest))} ms; up to ${count(records)} records`,
        // Fewer records than the concurrency would not be a test of the time budget.
        asExpected: late === 0 && slowest < 10_000 && records >= 100,
      }
    },
  },
  {
    name: 'a visibility timeout below the batching window',
    expected: 'the same message is in an event twice or more, is listed once, and is redelivered',
    send: (proof) =>
      proof.send(
        'twice',
        Array.from({ length: 100 }, (_, number) => ({ number })),
      ),
    async observe(proof) {
      const copiesIn = ({ ids = [] }: Note) =>
        Math.max(0, ...[...Map.groupBy(ids as string[], (each) => each).values()].map(({ length }) => length))
      const notes = await proof.until(
        INVOKED_WITHIN,
        () => proof.notes('twice'),
        (notes) => notes.some((note) => copiesIn(note) > 1),
      )
      const event = notes.find((note) => copiesIn(note) > 1)
      if (!event) throw new Error(`no event had a message twice within ${INVOKED_WITHIN} s`)
      const redelivered = (notes: Note[]) =>
        notes.some(({ at, ids = [] }) => at > event.at && ids.some((each: string) => event.ids.includes(each)))
      const later = await proof.until(90, () => proof.notes('twice'), redelivered)
      const listed = later.find((note) => note.requestId === event.requestId && note.listed)?.listed
      if (!listed) throw new Error('the function did not note its response')
      const times = listed.length / new Set(listed).size
      const fate = redelivered(later) ? 'is redelivered' : 'is not redelivered'
      return {
        observed: `a message is in an event ${copiesIn(event)} times, is listed ${times === 1 ? 'once' : 'more than once'}, and ${fate}`,
        asExpected: times === 1 && redelivered(later),
      }
    },
  },
  {
    name: 'a FIFO queue with three message groups, one message of which fails once',
    expected: 'a batch has several groups; each group is processed in order, and completely',
    source: 'services-sqs-scaling',
    async send(proof) {
      const messages = Array.from({ length: GROUP_SIZE }, (_, number) =>
        GROUPS.map((group) => ({ group, number, failsOnce: group === 'b' && number === 2 })),
      )
      await proof.send('fifo', messages.flat())
      await proof.enable('fifo')
    },
    async observe(proof) {
      const doneOf = (notes: Note[]) =>
        notes.flatMap(({ done }) => (done ? [done as { group: string; number: number }] : []))
      const notes = await proof.until(
        INVOKED_WITHIN * 2,
        () => proof.notes('fifo'),
        (notes) => doneOf(notes).length >= GROUPS.length * GROUP_SIZE,
      )
      if (notes.length === 0) throw new Error('no invocation')
      const groupsIn = ({ bodies = [] }: Note) => new Set(bodies.map((body: { group: string }) => body.group)).size
      const groups = Math.max(...notes.map(groupsIn))
      const done = Map.groupBy(doneOf(notes), ({ group }) => group)
      const inOrder = GROUPS.filter(
        (group) => (done.get(group) ?? []).map(({ number }) => number).join() === [...Array(GROUP_SIZE).keys()].join(),
      )
      return {
        observed: `a batch has ${groups} groups; ${inOrder.length} of ${GROUPS.length} groups are processed in order, and completely`,
        asExpected: groups > 1 && inOrder.length === GROUPS.length,
      }
    },
  },
  {
    name: 'a function that sends its message to its own queue again',
    expected: 'is stopped after 15 to 18 invocations; the message is dead-lettered',
    source: 'invocation-recursion',
    send: (proof) => proof.send('loop', [{ round: 1 }]),
    async observe(proof) {
      const letters = await proof.until(
        240,
        () => proof.deadLetters('loop'),
        (bodies) => bodies.some(({ round }) => round > 1),
      )
      const rounds = Math.max(...(await firstNotes(proof, 'loop')).map(({ round }) => round))
      const isDeadLettered = letters.some(({ round }) => round > 1)
      return {
        observed: `is stopped after ${rounds} invocations; the message is ${isDeadLettered ? '' : 'not '}dead-lettered`,
        asExpected: rounds >= 15 && rounds <= 18 && isDeadLettered,
      }
    },
  },
]

/** The sum of a number of the summaries that this package made. */
function sumOf(notes: readonly Note[], field: 'records' | 'reported'): number {
  return notes.reduce((sum, { summary }) => sum + (summary?.[field] ?? 0), 0)
}
