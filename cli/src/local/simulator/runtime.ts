import { InitError } from '../../shared/errors.ts'
import { type Environment, type FunctionOptions, startEnvironment } from './environment.ts'
import type { Outcome } from './runtime-api.ts'

export interface RuntimeOptions extends FunctionOptions {
  /** Concurrent invocations in one environment. Only Managed Instances have more than one. Default 1. */
  perEnvironment?: number
}

/** The execution environments of a function. */
export interface Runtime {
  invoke(event: string): Promise<Outcome>
  /** At the end of a run: lets the environments report what is still left. */
  finish(): Promise<void>
  /** Kills every environment. Running invocations end with the outcome `stopped`. */
  stop(): Promise<void>
}

/**
 * Starts execution environments when they are needed, and reuses them. The first one starts immediately: a
 * function that cannot be loaded causes an InitError before any message is received.
 */
export async function startRuntime(options: RuntimeOptions, signal?: AbortSignal): Promise<Runtime> {
  const { perEnvironment = 1 } = options
  const ended = new AbortController()
  const stopping = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal
  const environments = new Map<Environment, number>()
  const ends: Promise<void>[] = []

  /** Starts an environment that has this many invocations. */
  async function start(invocations: number) {
    const environment = await startEnvironment(options, stopping)
    ends.push(environment.ended)
    environments.set(environment, invocations)
    return environment
  }

  async function take(): Promise<Environment> {
    for (const [environment, invocations] of environments) {
      if (!environment.alive) environments.delete(environment)
      else if (invocations < perEnvironment) {
        environments.set(environment, invocations + 1)
        return environment
      }
    }
    return start(1)
  }

  await start(0)

  return {
    async invoke(event) {
      try {
        for (;;) {
          const environment = await take()
          const outcome = await environment.invoke(event)
          environments.set(environment, (environments.get(environment) ?? 1) - 1)
          // The environment ended before it took the event. That crash is counted separately. Try a new
          // environment.
          if (outcome) return outcome
        }
      } catch (error) {
        if (!(error instanceof InitError)) throw error
        return { type: stopping.aborted ? 'stopped' : 'crash', message: error.message }
      }
    },
    async finish() {
      await Promise.all([...environments.keys()].map((environment) => environment.finish()))
    },
    async stop() {
      ended.abort()
      await Promise.all(ends)
    },
  }
}
