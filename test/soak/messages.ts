/** How many of 1,000 messages are of each kind; the others are plain. function.mjs says what the kinds mean. */
const SHARES = {
  waits: 300,
  slow: 20,
  computes: 5,
  failsOnce: 30,
  failsTwice: 10,
  hangsOnce: 1,
  poison: 2,
  permanent: 3,
}
/** The kinds that crash the process at every delivery. */
export const CRASHES = ['exit', 'memory', 'loop'] as const
type Kind = keyof typeof SHARES | 'plain' | 'kills' | 'needsService' | (typeof CRASHES)[number]

export interface Messages {
  messages: number
  /** How many messages kill the process on their first delivery. */
  kills: number
  /** Message groups: the queue is a FIFO queue. */
  groups?: number
  /** All messages need a service that is down at first. */
  hasOutage?: boolean
  /** One message of each kind crashes the process at every delivery, and the others are plain. */
  hasCrashes?: boolean
}

let seed = 0
export function setSeed(value: number): void {
  seed = value
}

/** A pseudorandom integer, the same for the same number and seed (the end of MurmurHash3). */
export function hash(number: number): number {
  let h = Math.imul(number, 0x9e3779b1) ^ seed
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The kind of the message with this number, from 1. */
export function kindOf({ messages, kills, hasOutage, hasCrashes }: Messages, number: number): Kind {
  if (hasOutage) return 'needsService'
  if (hasCrashes) return CRASHES[number - Math.floor(messages / 2)] ?? 'plain'
  const killEvery = Math.floor(messages / kills) // infinite without kills
  if (number % killEvery === Math.floor(killEvery / 2)) return 'kills'
  let rest = hash(number) % 1000
  for (const [kind, share] of Object.entries(SHARES)) {
    if (rest < share) return kind as Kind
    rest -= share
  }
  return 'plain'
}
