/** The experiments on what a mapping does with a group, a throttled batch and failures: nobody documents most of it. */
import type { Experiment, Note, Proof } from './experiments.ts'

/** Seconds that an experiment may need. */
const SETTLED_WITHIN = 420

/** The visibility timeout of the queue with groups. The delays of the failed message are shorter and longer. */
const GROUP_TIMEOUT = 60
const DELAYS = [undefined, 10, 90]
/** Seconds after which a group that may be delivered is certainly in an event. */
const REDELIVERED_WITHIN = 40
/** The first message succeeds, the second one fails, and the third one is behind it. */
const GROUP_SIZE = 3

interface Sent {
  readonly group: string
  readonly number: number
  readonly receive: number
}

/** A batch with three messages of a group. The function reports the second and the third. */
function groupAfterFailure(delay: number | undefined): Experiment {
  const group = `delay-${delay ?? 'none'}`
  const least = Math.max(GROUP_TIMEOUT, delay ?? 0)
  const isOf = (body: Sent, number: number) => body.group === group && body.number === number
  const deliveriesOf = (notes: readonly Note[], number: number) =>
    notes.filter(({ bodies = [] }) => bodies.some((body: Sent) => isOf(body, number)))
  /** Whether the third message was not in the batch of the second: nothing then blocks it. */
  function isApart(notes: readonly Note[]): boolean {
    const [[failed], [blocked]] = [deliveriesOf(notes, 1), deliveriesOf(notes, 2)]
    return blocked !== undefined && failed !== blocked
  }
  return {
    name: `a FIFO group after a partial failure, ${delay ? `its failed message delayed by ${delay} s` : 'without a delay'}`,
    expected: `the rest returns after ${least} to ${least + REDELIVERED_WITHIN} s, in order`,
    async send(proof) {
      const numbers = Array.from({ length: GROUP_SIZE }, (_, number) => number)
      await proof.send(
        'groups',
        numbers.map((number) => ({ group, number, ...(delay && { delay }) })),
      )
      await proof.enable('groups')
    },
    async observe(proof) {
      const notes = await proof.until(
        SETTLED_WITHIN,
        () => proof.notes('groups'),
        (notes) => isApart(notes) || [1, 2].every((number) => deliveriesOf(notes, number).length > 1),
      )
      const [failed, again] = deliveriesOf(notes, 1)
      const [, last] = deliveriesOf(notes, 2)
      if (!failed || isApart(notes)) throw new Error('the messages of the group were not in one batch')
      if (!again || !last) return { observed: 'the rest does not return', asExpected: false }
      const seconds = (again.at - failed.at) / 1000
      const isInOrder = last.at >= again.at
      return {
        observed: `the rest returns after ${seconds.toFixed(1)} s, ${isInOrder ? '' : 'not '}in order`,
        // The clocks of Lambda and SQS are not the same.
        asExpected: isInOrder && seconds >= least - 1 && seconds <= least + REDELIVERED_WITHIN,
      }
    },
  }
}

const THROTTLED = 6

/** Two invocations want to run, and the function may run one: Lambda must retry the other batch. */
const throttled: Experiment = {
  name: `${THROTTLED} messages for a function with a reserved concurrency of 1, and invocations of 10 s`,
  expected: 'Lambda throttles invocations, and each message is received once',
  source: 'services-sqs-errorhandling',
  async send(proof) {
    await proof.reserve('throttled', 1)
    await proof.send(
      'throttled',
      Array.from({ length: THROTTLED }, (_, number) => ({ number })),
    )
    await proof.enable('throttled')
  },
  async observe(proof) {
    const receives = await proof.until(SETTLED_WITHIN, () => receivesOf(proof, 'throttled'), isComplete(THROTTLED))
    if (!isComplete(THROTTLED)(receives))
      throw new Error(`only ${receives.size} of ${THROTTLED} messages were delivered`)
    const isThrottled = (count: number) => count > 0
    const throttles = await proof.until(300, () => proof.throttles('throttled'), isThrottled)
    const most = Math.max(...receives.values())
    const verb = isThrottled(throttles) ? 'throttles' : 'does not throttle'
    return {
      observed: `Lambda ${verb} invocations, and each message is received ${most === 1 ? 'once' : `up to ${most} times`}`,
      asExpected: isThrottled(throttles) && most === 1,
    }
  },
}

/** The highest receive count of each message. */
async function receivesOf(proof: Proof, name: 'throttled' | 'polling'): Promise<Map<number, number>> {
  const bodies: Sent[] = (await proof.notes(name)).flatMap(({ bodies = [] }) => bodies)
  const receives = new Map<number, number>()
  for (const { number, receive } of bodies) receives.set(number, Math.max(receive, receives.get(number) ?? 0))
  return receives
}

const isComplete = (messages: number) => (receives: ReadonlyMap<number, number>) => receives.size >= messages

const POLLED = 100
/** A message succeeds at one of its first twenty deliveries, so until then a part of each batch fails. */
const MAX_DELIVERIES = 20

export const polling: Experiment = {
  name: `${POLLED} messages, of which a part fails at each of ${MAX_DELIVERIES} deliveries`,
  expected: 'the last deliveries are at most twice as far apart as the first, because Lambda does not poll more slowly',
  source: 'services-sqs-errorhandling',
  send: (proof) =>
    proof.send(
      'polling',
      Array.from({ length: POLLED }, (_, number) => ({ number, succeedsAt: 1 + (number % MAX_DELIVERIES) })),
    ),
  async observe(proof) {
    const isSettled = (gaps: readonly number[][]) => (gaps.at(-1)?.length ?? 0) >= POLLED / MAX_DELIVERIES
    const gaps = await proof.until(SETTLED_WITHIN, async () => gapsIn(await proof.notes('polling')), isSettled)
    if (!isSettled(gaps)) throw new Error(`no message was delivered ${MAX_DELIVERIES} times`)
    const [first, last] = [mean(gaps.slice(0, 5).flat()), mean(gaps.slice(-5).flat())]
    return {
      observed: `the first deliveries are ${first.toFixed(1)} s apart, the last ${last.toFixed(1)} s`,
      asExpected: last <= 2 * first,
    }
  },
}

/** The seconds between two deliveries of a message, for each delivery but the first. */
function gapsIn(notes: readonly Note[]): number[][] {
  const times = new Map<string, number>()
  for (const { at, bodies = [] } of notes) {
    for (const { number, receive } of bodies as Sent[]) times.set(`${number} ${receive}`, at)
  }
  return Array.from({ length: MAX_DELIVERIES - 1 }, (_, index) =>
    Array.from({ length: POLLED }, (_, number) => {
      const [from, to] = [times.get(`${number} ${index + 1}`), times.get(`${number} ${index + 2}`)]
      return from === undefined || to === undefined ? [] : [(to - from) / 1000]
    }).flat(),
  )
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

export const mappingExperiments: readonly Experiment[] = [...DELAYS.map(groupAfterFailure), throttled, polling]
