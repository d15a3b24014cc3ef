/** Runs the command and ends the process with its exit code. bin.ts has checked the version of Node. */
import { constants } from 'node:os'
import { CommanderError } from 'commander'
import { main } from './program.ts'
import { oneLine, UsageError } from './shared/errors.ts'
import { MANIFEST } from './shared/package-manifest.ts'
import { widthOf, wrapWords } from './shared/wrap.ts'

// The reader of the output has ended, as in `… | head -1`. Exit with 141, as after SIGPIPE.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(128 + constants.signals.SIGPIPE)
  })
}

// A defect of this package. Print one line. Execution environments end with this process.
process.on('uncaughtException', (error) => {
  console.error(`bounded-sqs-batch: unexpected error: ${oneLine(error)}`)
  process.exit(2)
})

function exitCodeOf(error: unknown): number {
  // Commander has already printed the message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const text = error instanceof UsageError ? error.message : `unexpected error: ${oneLine(error)}`
  console.error(wrapWords(`bounded-sqs-batch: ${text}`, widthOf(process.stderr)))
  return 2
}

const code = await main(process.argv, MANIFEST.version).catch(exitCodeOf)
// Exit once stdout is flushed, even if a library still has pending work, such as a long poll. After an
// error, the listener above ends the process.
process.stdout.write('', (error) => {
  if (!error) process.exit(code)
})
