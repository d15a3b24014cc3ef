import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const GO = 'Go, buffered channel'
/** Kept out of git with the rest of node_modules. */
const program = join(import.meta.dirname, 'node_modules', '.cache', 'fanout')

export interface GoBuild {
  /** Its path, where it is not left out. */
  readonly program?: string
  /** What became of the program, for the report. */
  readonly go: string
}

/** Builds the Go program where this machine can, and where it is asked for. */
export async function buildGo(isShort: boolean): Promise<GoBuild> {
  if (isShort) return leftOut('a short run has no need of it')
  const options = { cwd: join(import.meta.dirname, 'go') }
  try {
    await run('go', ['build', '-trimpath', '-o', program, '.'], options)
    const { stdout } = await run('go', ['env', 'GOVERSION'], options)
    return { program, go: `built with ${stdout.trim().replace('go', 'Go ')}` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return leftOut('Go is not installed')
    process.stderr.write(`${message}\n`)
    return leftOut('it could not be built')
  }
}

function leftOut(reason: string): GoBuild {
  const go = `left out: ${reason}`
  process.stderr.write(`${GO}: ${go}\n`)
  return { go }
}

/** Microseconds a record that does nothing. */
export async function goNoop(concurrency: number, size: number, batches: number, failEvery: number): Promise<number> {
  const { stdout } = await run(program, ['noop', ...[concurrency, size, batches, failEvery].map(String)])
  return Number(stdout)
}
