// Runs in the process of the handler. Follows the timers of invocations, and the intervals of modules.
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, isOfHandler, type LeftKind, type LeftWork, type Origin } from './origin.ts'

/** With properties that Node does not document, but that it has had for ten years. */
export type Timer = NodeJS.Timeout & {
  _destroyed: boolean
  _idleTimeout: number
  _repeat: number | null
  _onTimeout: ((...args: unknown[]) => void) | null
}

export type Invocation = { hasResponded: boolean }

/** `isInTimer`: the code runs in a timer that the invocation has started, or in what this timer has started. */
export type Context = { invocation: Invocation; isInTimer: boolean }

export const context = new AsyncLocalStorage<Context | undefined>()

/** More timers are not followed. */
const MAX_TIMERS = 1000

/** The contexts in which the callbacks of timers run. */
const contexts = new WeakMap<Timer, { store: Context | undefined }>()
const timers = new Map<Timer, { origin: Origin; invocation: Invocation | undefined }>()

/** Lets the callback of a timer run in another context. The callback is replaced once, however often this is called. */
function runIn(timer: Timer, store?: Context) {
  const known = contexts.get(timer)
  const own = known ?? { store }
  own.store = store
  const { _onTimeout } = timer
  if (known || !_onTimeout) return
  contexts.set(timer, own)
  timer._onTimeout = function (this: Timer, ...args) {
    return context.run(own.store, () => _onTimeout.apply(this, args))
  }
}

/**
 * Clients use intervals, unreferenced timers, and timers that start each other for work that belongs to no invocation.
 * What a timer of the handler does can be such work, too, unless it recurs.
 */
export function addTimer(timer: Timer, originOfTimer: (what: string, kind: LeftKind) => Origin) {
  const store = context.getStore()
  if (store?.isInTimer) return runIn(timer)
  const isInterval = timer._repeat !== null
  if (isInterval) runIn(timer)
  else if (!store || !timer.hasRef()) return
  else runIn(timer, { ...store, isInTimer: true })
  if (timers.size >= MAX_TIMERS) for (const [each] of timers) if (each._destroyed) timers.delete(each)
  if (timers.size >= MAX_TIMERS) return
  const origin = isInterval
    ? originOfTimer('an interval', store ? 'interval' : 'module')
    : originOfTimer('a timer', 'timer')
  timers.set(timer, { origin, invocation: store?.invocation })
}

export function watchUnref() {
  const prototype = Object.getPrototypeOf(setTimeout(() => {}, 0))
  const { unref } = prototype
  prototype.unref = function (this: Timer) {
    if (context.getStore() || contexts.has(this)) runIn(this)
    return unref.call(this)
  }
}

const pendingTimers = () => [...timers].filter(([timer]) => !timer._destroyed)

/** Whether a timer of the handler fires within this many milliseconds. */
export const firesWithin = (ms: number) =>
  pendingTimers().some(([timer]) => timer._repeat === null && timer.hasRef() && timer._idleTimeout < ms)

/** What the handler left at the end of a run. Nothing fires it. An interval counts if several invocations have started it. */
export function leftTimers(): LeftWork[] {
  const left = pendingTimers().filter(([timer]) => timer._repeat !== null || timer.hasRef())
  const ofInvocations = Map.groupBy(left, ([, { invocation }]) => invocation).values()
  const works = [...ofInvocations].flatMap((each) => describe(each.map(([, { origin }]) => origin)))
  const isCounted = ({ kind, place }: LeftWork) =>
    kind !== 'interval' || works.filter((other) => other.kind === kind && other.place === place).length > 1
  return works.filter((work) => isOfHandler(work.place) && isCounted(work))
}
