/** The experiments on what `isolateCrashes()` and `retryBackoff()` assume about later deliveries of a message. */
import type { Experiment, Note } from './experiments.ts'

/** Seconds that a first invocation and the last redelivery may need together. */
const SETTLED_WITHIN = 420

const between = (least: number, most: number) => `${least.toFixed(1)} to ${most.toFixed(1)} s`

/** The queue has 60 s. So one timeout is shorter, and the other is longer. */
const TIMEOUTS = [10, 90]
/** Seconds after which a visible message is certainly in an event. With the shorter timeout, this is before 60 s. */
const REDELIVERED_WITHIN = 40
/** The same for messages that wait for no other invocation. */
const POLLED_WITHIN = 15

interface Sent {
  readonly end: string
  readonly seconds: number
  readonly receive: number
}

function visibilityStays(end: string): Experiment {
  const isOf = (seconds: number, sent?: Sent) => sent?.end === end && sent.seconds === seconds

  /** Seconds from the call that sets the timeout to the next delivery. `undefined` if there is no delivery yet. */
  function delayOf(seconds: number, notes: readonly Note[]): number | undefined {
    const isAgain = (body: Sent) => isOf(seconds, body) && body.receive > 1
    const set = notes.find(({ set }) => isOf(seconds, set))
    const again = notes.find(({ bodies = [] }) => bodies.some(isAgain))
    return set && again && (again.at - set.at) / 1000
  }

  return {
    name: `the function sets the visibility timeout of its message, before ${end}`,
    expected: TIMEOUTS.map(
      (seconds) => `set to ${seconds} s: redelivered after ${seconds} to ${seconds + REDELIVERED_WITHIN} s`,
    ).join('; '),
    send: (proof) =>
      proof.send(
        'visibility',
        TIMEOUTS.map((seconds) => ({ end, seconds })),
      ),
    async observe(proof) {
      const notes = await proof.until(
        SETTLED_WITHIN,
        () => proof.notes('visibility'),
        (notes) => TIMEOUTS.every((seconds) => delayOf(seconds, notes) !== undefined),
      )
      const isSet = (seconds: number) => notes.some(({ set }) => isOf(seconds, set))
      if (!TIMEOUTS.every(isSet)) throw new Error('the function did not set both timeouts')
      const delays = TIMEOUTS.map((seconds) => ({ seconds, delay: delayOf(seconds, notes) }))
      return {
        observed: delays
          .map(
            ({ seconds, delay }) =>
              `set to ${seconds} s: ${delay ? `redelivered after ${delay.toFixed(1)} s` : 'not redelivered'}`,
          )
          .join('; '),
        // The clocks of Lambda and SQS are not the same.
        asExpected: delays.every(
          ({ seconds, delay = 0 }) => delay >= seconds - 1 && delay <= seconds + REDELIVERED_WITHIN,
        ),
      }
    },
  }
}

/** A message that ends the process, in a batch with others. */
function messageThatExits(
  messages: number,
  fn: 'crashes' | 'isolated',
  title: string,
  expected: string,
  isExpected: (share: number) => boolean,
): Experiment {
  return {
    name: `a message that ends the process among ${messages}, ${title}`,
    expected,
    async send(proof) {
      await proof.send(
        fn,
        Array.from({ length: messages }, (_, number) => ({ number, exits: number === Math.floor(messages / 2) })),
      )
      await proof.enable(fn)
    },
    async observe(proof) {
      const read = async () => ({ notes: await proof.notes(fn), letters: await proof.deadLetters(fn) })
      const isSettled = ({ notes, letters }: Awaited<ReturnType<typeof read>>) =>
        numbersIn([...processedIn(notes), ...letters]).size >= messages
      const found = await proof.until(SETTLED_WITHIN, read, isSettled)
      const first = found.notes.find(({ bodies = [] }) => bodies.some(({ exits }: { exits: boolean }) => exits))
      if (!first) throw new Error('the message that ends the process was not delivered')
      if (!isSettled(found)) throw new Error('some messages were neither processed nor dead-lettered')
      const others = numbersIn(first.bodies.filter(({ exits }: { exits: boolean }) => !exits))
      if (others.size < 10) throw new Error(`the first batch of the message had only ${others.size} others`)
      const deadLettered = Array.from(numbersIn(found.letters)).filter((number) => others.has(number)).length
      return {
        observed: `${deadLettered} of the ${others.size} others in its first batch are dead-lettered`,
        asExpected: isExpected(deadLettered / others.size),
      }
    },
  }
}

/** The bodies of the invocations that responded. */
function processedIn(notes: readonly Note[]) {
  const responded = new Set(notes.flatMap(({ requestId, summary }) => (summary ? [requestId] : [])))
  return notes.flatMap(({ requestId, bodies = [] }) => (responded.has(requestId) ? bodies : []))
}

const numbersIn = (bodies: readonly { number: number }[]) => new Set(bodies.map(({ number }) => number))

/** The longest delays of `retryBackoff({ base: 10 })` after the first three deliveries, in seconds. */
const LONGEST_DELAYS = [10, 20, 40]
const DELAYED = 60

const jitter: Experiment = {
  name: `retryBackoff({ base: ${LONGEST_DELAYS[0]} }) over four deliveries of ${DELAYED} messages`,
  expected: `all are redelivered after random times: ${LONGEST_DELAYS.map((longest) => between(longest / 2, longest)).join(', ')}, and up to ${POLLED_WITHIN} s until a poller receives them`,
  send: (proof) =>
    proof.send(
      'backoff',
      Array.from({ length: DELAYED }, (_, number) => ({ number })),
    ),
  async observe(proof) {
    const delays = await proof.until(
      SETTLED_WITHIN,
      async () => delaysIn(await proof.notes('backoff')),
      (delays) => delays.every(({ length }) => length === DELAYED),
    )
    if (delays.some(({ length }) => length === 0)) throw new Error('no message was delivered four times')
    const ranges = delays.map((seconds) => ({ least: Math.min(...seconds), most: Math.max(...seconds) }))
    const complete = Math.min(...delays.map(({ length }) => length))
    return {
      observed: `${complete === DELAYED ? 'all' : complete} are redelivered after ${ranges.map(({ least, most }) => between(least, most)).join(', ')}`,
      asExpected:
        complete === DELAYED &&
        ranges.every(({ least, most }, index) => isEqualJitter(least, most, Number(LONGEST_DELAYS[index]))),
    }
  },
}

/** Seconds from the end of a delivery to the next, for each delivery but the last, and each message. */
function delaysIn(notes: readonly Note[]): number[][] {
  const ends = new Map(notes.flatMap(({ requestId, at, summary }) => (summary ? [[requestId, at]] : [])))
  const deliveries = notes.flatMap(({ requestId, at, bodies = [] }) =>
    bodies.map(({ number, receive }: { number: number; receive: number }) => ({ number, receive, at, requestId })),
  )
  return LONGEST_DELAYS.map((_, index) =>
    deliveries.flatMap(({ number, receive, requestId }) => {
      const again = deliveries.find((other) => other.number === number && other.receive === receive + 1)
      const end = ends.get(requestId)
      return receive === index + 1 && again && end !== undefined ? [(again.at - end) / 1000] : []
    }),
  )
}

/** Random times lie apart, so not all messages return together. */
function isEqualJitter(least: number, most: number, longest: number): boolean {
  return least >= longest / 2 - 1 && most <= longest + POLLED_WITHIN && most - least >= longest / 4
}

/**
 * They come first on AWS, because nothing else is as little documented. `messages` are those of a queue with a message
 * that ends the process.
 */
export function deliveryExperiments(messages: number): Experiment[] {
  return [
    ...['a response', 'an error', 'a crash'].map(visibilityStays),
    messageThatExits(
      messages,
      'crashes',
      'without isolateCrashes()',
      'most of the others in its first batch are dead-lettered',
      (share) => share > 0.5,
    ),
    messageThatExits(
      messages,
      'isolated',
      'with isolateCrashes()',
      'at most a fifth of the others in its first batch are dead-lettered',
      (share) => share <= 0.2,
    ),
    jitter,
  ]
}
