import { cpuShareOf, MEMORY_OF_ONE_CPU } from '../../shared/cpu.ts'
import { countOf } from '../../shared/format.ts'
import { type FunctionOptions, type FunctionSettings, maxMemory, withDefaults } from '../environment/environment.ts'
import type { Outcome } from '../environment/runtime-api.ts'
import type { Usage } from '../in-function/resource-usage.ts'
import { isOfHandler, type LeftKind, type LeftWork } from '../in-function/work-origin.ts'
import type { OpenLedger } from './ledger.ts'

const MAX_SHOWN = 5
/** What is said about work that was left, as sentences before and after its names. */
const LEFT: Record<Exclude<LeftKind, 'late'>, [before: string, after: string]> = {
  once: [
    'after a response, an answer arrived for',
    'If the handler needs it, await it. This does not fail the run, because it was seen in only one invocation of a process. ' +
      'A client may have opened a connection. To be sure, run more invocations: use more --messages, or a smaller --batch-size',
  ],
  telemetry: [
    'telemetry was still being sent after a response:',
    'Lambda freezes the environment then, so it is late or lost. Flush it before the response if you need it',
  ],
  timer: [
    'timers that invocations had started were left at the end of the run:',
    'On Lambda, a timer fires only while a later invocation runs, or never. Clear it, or await it if the handler needs it',
  ],
  interval: [
    'not judged: what is done in',
    'On Lambda, an interval runs only during invocations, so what it still has to do after the last response is late or lost. ' +
      'If each invocation starts one, clear it',
  ],
}
const READS_NOTHING = 'the handler read no property of any record that it received, although they count as processed'
const ENDS_EARLY = 'would end early on Lambda, and the rest of its batch would be redelivered'

/** An invocation that needs more time than it has on Lambda. */
interface Slow {
  what: string
  time: number
  text: string
}

type CountedWork = LeftWork & { count: number }

/**
 * Observes environments. Collects what invocations used and left, and says at the end of the run what would go
 * wrong on Lambda.
 */
export class Findings {
  readonly #options: FunctionSettings
  readonly #ledger: Pick<OpenLedger, 'add'>
  readonly #left: CountedWork[] = []
  /** Whether the handler read some record of an event that was looked at. Undefined: none was looked at. */
  #hasRead: boolean | undefined
  #invocationsWithLeftWork = 0
  #peakMemory = 0
  readonly #slow: Slow[] = []

  constructor(options: FunctionOptions, ledger: Pick<OpenLedger, 'add'>) {
    this.#options = withDefaults(options)
    this.#ledger = ledger
  }

  add({ type, unread, usage, library }: Outcome) {
    if (type === 'response' && unread) this.#hasRead ||= unread !== 'all'
    if (!usage) return
    this.#peakMemory = Math.max(this.#peakMemory, usage.peakMemory)
    this.#addTime(usage, library !== undefined)
  }

  started() {
    this.#ledger.add('processes')
  }

  left(work: readonly LeftWork[]) {
    for (const each of work) addTo(this.#left, each)
    if (!work.some(({ kind }) => kind === 'late')) return
    this.#invocationsWithLeftWork += 1
    this.#ledger.add('respondedEarly')
  }

  died(message: string) {
    this.#ledger.add('diedBetween', message, message)
  }

  lines(): string[] {
    const lines = [...this.#memoryLines(), ...this.#timeLines(), ...this.#leftLines()]
    return this.#hasRead === false ? [...lines, READS_NOTHING] : lines
  }

  *#memoryLines() {
    const { limitMemory, memory } = this.#options
    if (this.#peakMemory <= maxMemory(this.#options, limitMemory ? 0.9 : 1.1)) return
    yield `the process used up to ${Math.round(this.#peakMemory)} MB of memory, and the function has ${memory} MB` +
      `${limitMemory ? '' : ' by default'}. Lambda ends a process that needs more: use --memory or --template for another size`
  }

  *#timeLines() {
    for (const [what, all] of Map.groupBy(this.#slow, (slow) => slow.what)) {
      const [slowest] = all.sort((a, b) => b.time - a.time) as [Slow]
      yield `${countOf(all.length, 'invocation')} ${what}. The slowest ${slowest.text}`
    }
  }

  *#leftLines() {
    const count = this.#invocationsWithLeftWork
    if (count > 0) {
      const names = namesOf(this.#left, 'late')
      yield `${countOf(count, 'invocation')} responded before ${count === 1 ? 'its' : 'their'} work had ended: ${names}. ` +
        'Lambda freezes the environment after the response, so this work is late or lost. Await it'
    }
    for (const [kind, [before, after]] of Object.entries(LEFT) as [LeftKind, [string, string]][]) {
      const names = namesOf(this.#left, kind)
      if (names !== '' && !(kind === 'once' && count > 0)) yield `${before} ${names}. ${after}`
    }
  }

  #describe(cpu: number, needed: number, how = '') {
    const share = ((100 * this.#options.memory) / MEMORY_OF_ONE_CPU).toFixed(0)
    return (
      `used ${seconds(cpu)} of CPU time${how}. With ${this.#options.memory} MB, a function has ${share} % of a core, so this takes at least ` +
      `${seconds(needed)}, and the timeout is ${seconds(this.#options.timeout)}`
    )
  }

  /** An invocation fails the run if it is too slow on Lambda, even with processors twice as fast as those here. */
  #addTime({ cpu, longestBlock }: Usage, isOfLibrary: boolean) {
    const timeout = this.#options.timeout
    // All threads share the CPU of the function, and a block has one core at most.
    const needed = (cpu * MEMORY_OF_ONE_CPU) / this.#options.memory
    const block = longestBlock / cpuShareOf(this.#options.memory)
    if (Math.max(needed, block) <= timeout) return
    const isBlocked = block > 2 * timeout
    const isKnown = this.#options.limitMemory && (isBlocked || (!isOfLibrary && needed > 2 * timeout))
    const end = isOfLibrary ? ENDS_EARLY : 'may time out on Lambda'
    const what = isKnown ? 'would time out on Lambda' : end
    const text = isBlocked
      ? this.#describe(longestBlock, block, ' without a return to the event loop')
      : this.#describe(cpu, needed)
    this.#slow.push({ what, time: isBlocked ? block : needed, text })
    if (isKnown) this.#ledger.add('wouldTimeOut', `an invocation ${text}`)
  }
}

/** Counts work of one kind together, and keeps one place of it: a line of the handler, if one is known. */
function addTo(works: CountedWork[], work: LeftWork) {
  const { kind, what, place } = work
  const isSame = (other: LeftWork) => other.kind === kind && other.what === what
  const known = works.find((other) => isSame(other) && (kind === 'late' || kind === 'once' || other.place === place))
  if (!known) return works.push({ ...work, count: 1 })
  known.count += 1
  if (place !== undefined && !isOfHandler(known)) known.place = place
}

function namesOf(works: readonly CountedWork[], wanted: LeftKind): string {
  const found = works.filter(({ kind }) => kind === wanted).sort((a, b) => b.count - a.count)
  const texts = found.map(({ what, place, count }) => `${count} × ${what}${place ? ` (${place})` : ''}`)
  return texts.slice(0, MAX_SHOWN).join(', ')
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
