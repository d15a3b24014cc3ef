/** The command line, on a Node that is new enough: runs the command and ends the process with its exit code. */
import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { oneLine, UsageError } from './errors.ts'
import { main } from './program.ts'

// fauxqs loads node:sqlite, which Node 22 warns about. A flag in the first line of bin.ts would stop older versions of
// Node before they can say that they are too old.
const printers = process.listeners('warning')
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') for (const print of printers) print(warning)
})

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// A broken pipe, or a defect of ours: one line, and with this process go its execution environments.
process.on('uncaughtException', (error) => {
  console.error(`bounded-sqs-batch: unexpected: ${oneLine(error)}`)
  process.exit(2)
})

async function exitCode(): Promise<number> {
  try {
    return await main(process.argv, version)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // it has said its line
    console.error(`bounded-sqs-batch: ${error instanceof UsageError ? error.message : `unexpected: ${oneLine(error)}`}`)
    return 2
  }
}

const code = await exitCode()
// Written out first; then nothing that a library still waits for, such as a last long poll, holds the command.
process.stdout.write('', () => process.exit(code))
