import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const GO = 'Go, buffered channel'
/** Kept out of git with the rest of node_modules. */
const program = join(import.meta.dirname, 'node_modules', '.cache', 'fanout')

/** Builds the Go program. Its path, or `undefined` where this machine cannot build it. */
export async function buildGo(): Promise<string | undefined> {
  try {
    await run('go', ['build', '-trimpath', '-o', program, '.'], { cwd: join(import.meta.dirname, 'go') })
    return program
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    process.stderr.write(`${GO}: left out, ${code === 'ENOENT' ? 'there is no go on this machine' : message}\n`)
    return undefined
  }
}

/** Microseconds a record that does nothing. */
export async function goNoop(concurrency: number, size: number, batches: number, failEvery: number): Promise<number> {
  const { stdout } = await run(program, ['noop', ...[concurrency, size, batches, failEvery].map(String)])
  return Number(stdout)
}
