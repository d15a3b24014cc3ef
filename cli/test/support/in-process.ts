import { AsyncLocalStorage } from 'node:async_hooks'
import { Readable } from 'node:stream'
import { CommanderError } from 'commander'
import { main } from '../../src/program.ts'
import { UsageError } from '../../src/shared/errors.ts'
import { environment, type Result } from './runs.ts'

/** The output of what runs in the context. tap itself writes to stdout meanwhile. */
const running = new AsyncLocalStorage<Result>()

for (const name of ['stdout', 'stderr'] as const) {
  const stream = process[name]
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  stream.write = (...args: unknown[]) => {
    const result = running.getStore()
    if (!result) return write(...args)
    result[name] += args[0]
    return true
  }
}

/**
 * Does in this process what `command()` does in a process of its own, which takes several times as long to start. Only one
 * call at a time is possible, because the environment variables of this process are those of the command.
 */
export async function inProcess(
  args: readonly string[],
  { env = {}, input = '' }: { env?: NodeJS.Dict<string>; input?: string } = {},
): Promise<Result> {
  const result: Result = { code: null, stdout: '', stderr: '' }
  const before = { env: process.env, stdin: Object.getOwnPropertyDescriptor(process, 'stdin') ?? {} }
  process.env = environment(env)
  Object.defineProperty(process, 'stdin', { configurable: true, value: Readable.from([Buffer.from(input)]) })
  try {
    result.code = await running.run(result, () => main([process.execPath, 'bounded-sqs-batch', ...args], '0.0.0'))
  } catch (error) {
    if (error instanceof UsageError) result.stderr += `bounded-sqs-batch: ${error.message}\n`
    else if (!(error instanceof CommanderError)) throw error
    result.code = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2
  } finally {
    process.env = before.env
    Object.defineProperty(process, 'stdin', before.stdin)
  }
  return result
}
