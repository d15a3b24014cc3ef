import { cpuShareOf } from '../../shared/reserve.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions, maxMemory } from './environment.ts'
import type { LeftWork } from './late-work.ts'
import { openCounter } from './ledger.ts'
import type { Usage } from './usage.ts'

const MAX_SHOWN = 5

/** Collects what invocations used, and says at the end of the run what would go wrong on Lambda. */
export function openFindings(options: FunctionOptions) {
  const { memory = FUNCTION_DEFAULTS.memory, timeout = FUNCTION_DEFAULTS.timeout, limitMemory } = options
  const share = cpuShareOf(memory)
  const left = openCounter()
  const weak = openCounter()
  let invocationsWithLeftWork = 0
  let peakMemory = 0
  let slowest = 0
  let slow = 0

  function* lines() {
    const maximum = limitMemory ? maxMemory(options, 0.9) : maxMemory(options, 1.1)
    if (peakMemory > maximum) {
      const used = `the process used up to ${Math.round(peakMemory)} MB of memory`
      yield limitMemory
        ? `${used}, and the function has ${memory} MB. Lambda ends a process that needs more`
        : `${used}, more than the default of ${memory} MB. Lambda ends such a process: set --memory or --template to the memory of the function`
    }
    if (slow > 0) {
      const what = slow === 1 ? '1 invocation' : `${slow} invocations`
      yield `${what} would time out on Lambda. The slowest used ${seconds(slowest)} of CPU time. With ${memory} MB, a function has ` +
        `${(share * 100).toFixed(0)} % of a core, so this takes at least ${seconds(slowest / share)}, and the timeout is ${seconds(timeout)}`
    }
    if (invocationsWithLeftWork > 0) {
      const what =
        invocationsWithLeftWork === 1
          ? '1 invocation responded before its work'
          : `${invocationsWithLeftWork} invocations responded before their work`
      yield `${what} had ended: ${namesOf(left.counts())}. ` +
        'Lambda freezes the environment after the response, so this work is late or lost. Await it'
    }
    const weakCounts = weak.counts()
    if (invocationsWithLeftWork === 0 && Object.keys(weakCounts).length > 0) {
      yield `after a response, an answer arrived for ${namesOf(weakCounts)}. If the handler needs it, await it. ` +
        'This does not fail the run, because it was seen in only one invocation of a process, and a client may have opened ' +
        'a connection. To be sure, run more invocations: use a smaller --batch-size'
    }
  }
  return {
    add(usage: Usage) {
      peakMemory = Math.max(peakMemory, usage.peakMemory)
      if (usage.cpu / share > timeout) slow += 1
      slowest = Math.max(slowest, usage.cpu)
    },
    /** Adds the work that an invocation left. Returns whether the run fails. */
    addLeft(work: readonly LeftWork[]): boolean {
      for (const { what, count, isWeak } of work) (isWeak ? weak : left).add(what, count)
      const fails = work.some(({ isWeak }) => !isWeak)
      if (fails) invocationsWithLeftWork += 1
      return fails
    },
    lines: () => [...lines()],
  }
}

function namesOf(counts: Record<string, number>): string {
  const shown = Object.entries(counts).slice(0, MAX_SHOWN)
  return shown.map(([what, count]) => `${count} × ${what}`).join(', ')
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
