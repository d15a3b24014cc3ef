import { InitError } from '../../errors.ts'
import { type Environment, type FunctionOptions, startEnvironment } from './environment.ts'
import type { Outcome } from './runtime-api.ts'

export interface RuntimeOptions extends FunctionOptions {
  /** Invocations at once in one environment: more than one only on Managed Instances; default 1. */
  perEnvironment?: number
}

/**
 * Execution environments, started as they are needed and used again while they live. The first one is started at once, so that
 * a function that cannot be loaded is an InitError before anything is received.
 */
export async function startRuntime(options: RuntimeOptions, signal?: AbortSignal) {
  const { perEnvironment = 1 } = options
  const ended = new AbortController()
  const stopping = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal
  const running = new Map<Environment, number>()
  const ends: Promise<void>[] = []

  const start = async () => {
    const environment = await startEnvironment(options, stopping)
    ends.push(environment.ended)
    return environment
  }

  const take = async (): Promise<Environment> => {
    for (const [environment, invocations] of running) {
      if (!environment.alive) running.delete(environment)
      else if (invocations < perEnvironment) {
        running.set(environment, invocations + 1)
        return environment
      }
    }
    const environment = await start()
    running.set(environment, 1)
    return environment
  }

  running.set(await start(), 0)

  return {
    async invoke(event: string): Promise<Outcome> {
      try {
        for (;;) {
          const environment = await take()
          const outcome = await environment.invoke(event)
          running.set(environment, (running.get(environment) ?? 1) - 1)
          // It died after its last response, which counts by itself. The event goes to a fresh one.
          if (outcome.type !== 'not-taken') return outcome
        }
      } catch (error) {
        if (!(error instanceof InitError)) throw error
        return { type: stopping.aborted ? 'stopped' : 'crash', message: error.message }
      }
    },
    /** Kills every environment; what it was working on ends as stopped. */
    async stop() {
      ended.abort()
      await Promise.all(ends)
    },
  }
}

export type Runtime = Awaited<ReturnType<typeof startRuntime>>
