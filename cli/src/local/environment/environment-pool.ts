import { InitError } from '../../shared/errors.ts'
import { Environment, type FunctionOptions } from './environment.ts'
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
  const environments: Environment[] = []
  async function start() {
    environments.push(await new Environment(options, stopping).start())
  }
  await start()

  return {
    async invoke(event) {
      try {
        for (;;) {
          const free = environments.find(({ alive, running }) => alive && running < perEnvironment)
          // An environment can end before it takes the event. That crash is counted separately.
          const outcome = free ? await free.invoke(event) : await start()
          if (outcome) return outcome
        }
      } catch (error) {
        if (!(error instanceof InitError)) throw error
        return { type: stopping.aborted ? 'stopped' : 'crash', message: error.message }
      }
    },
    async finish() {
      await Promise.all(environments.map((environment) => environment.finish()))
    },
    async stop() {
      ended.abort()
      await Promise.all(environments.map((environment) => environment.ended))
    },
  }
}
