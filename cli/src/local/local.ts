import { InitError, UsageError } from '../errors.ts'
import { number, openDisplay, renderLedger } from './display.ts'
import { type LocalFlags, toRunOptions } from './options.ts'
import { type RunOptions, run } from './run.ts'
import { withTemplate } from './template-flags.ts'
import { whyFailed } from './verdict.ts'

const SAME_SIGNAL_MS = 300
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What a template says counts as flags, so nobody has given the one that an error names. */
async function optionsOf(handler: string, flags: LocalFlags) {
  try {
    return await toRunOptions(handler, flags)
  } catch (error) {
    if (!flags.template || !(error instanceof UsageError)) throw error
    const { message } = error
    const { template } = flags
    throw new UsageError(`${message} (or ${template} says so: bounded-sqs-batch doctor ${template})`, { cause: error })
  }
}

/** `bounded-sqs-batch local`: runs, shows, and answers the exit code. */
export async function local(handler: string, given: LocalFlags): Promise<number> {
  const { flags, lines } = await withTemplate(given)
  const log = (line: string) => (flags.json ? process.stderr : process.stdout).write(`${line}\n`)
  for (const line of lines) log(line) // before options are refused: it may be for one of these
  const options = await optionsOf(handler, flags)
  const total = Array.isArray(options.messages) ? options.messages.length : flags.messages
  const display = openDisplay(flags.json ? process.stderr : process.stdout, total)
  const draining = new AbortController()
  const stopping = new AbortController()
  const failures: string[] = []
  let asked = 0
  const interrupt = () => {
    // npm hands on the signal that the terminal has sent to both: two within a moment are one.
    if (draining.signal.aborted && performance.now() - asked < SAME_SIGNAL_MS) return
    asked = performance.now()
    if (draining.signal.aborted) {
      display.log('stopping at once: what was under way stays in the queue')
      return stopping.abort()
    }
    display.log('finishing the batch under way; once more to stop at once')
    draining.abort()
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)

  try {
    const ledger = await run({
      ...options,
      function: {
        ...options.function,
        ...(flags.quiet ? {} : { onLog: (line: string) => display.log(`function | ${line}`, process.stderr) }),
      },
      mapping: {
        ...options.mapping,
        onFailure: (line) => {
          if (failures.length >= flags.watchFailures) return
          failures.push(line)
          display.log(`failure | ${line}`, process.stderr)
        },
      },
      onStart: ({ queueUrl, deadLetterUrl, fifo }) => {
        display.log(`${fifo ? 'FIFO queue' : 'queue'} ${queueUrl}`)
        if (deadLetterUrl) display.log(`dead-letter queue ${deadLetterUrl}`)
      },
      onWarning: (line) => display.log(`warning | ${line}`, process.stderr),
      onProgress: display.progress,
      drain: draining.signal,
      stop: stopping.signal,
    })
    display.end()
    const reason = whyFailed(ledger, flags)
    if (flags.json) {
      const verdict = { verdict: reason === undefined ? 'passed' : 'failed', reason }
      console.log(JSON.stringify({ ...verdict, ...ledger, ...(flags.watchFailures > 0 ? { failures } : {}) }))
    } else {
      console.log(renderLedger(ledger))
      if (ledger.lost > 0) console.log(whyLost(ledger.lost, flags))
    }
    if (reason !== undefined) display.log(`failed: ${reason}`)
    return reason === undefined ? 0 : 1
  } catch (error) {
    display.end()
    if (error instanceof InitError) {
      const hint = hintFor(options.function, error)
      throw new UsageError(`${handler} could not be loaded: ${error.message}${hint}`)
    }
    throw error
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

/** Node takes the types out of TypeScript, and does no more: an enum stays, and so does the .js of an import. */
function hintFor({ file, runtimeClient }: RunOptions['function'], { message }: InitError) {
  if (!/ts$/.test(file)) return ''
  if (runtimeClient) return '; does its client load TypeScript?'
  if (!/strip-only mode|Cannot find module .* imported from .*ts$/.test(message)) return ''
  const flags = '--bundle --packages=external --platform=node --format=esm --outfile=handler.mjs'
  return `; bundle it first (esbuild ${file} ${flags}) and give handler.mjs`
}

function whyLost(lost: number, flags: LocalFlags) {
  return flags.reportBatchItemFailures
    ? `${number(lost)} messages are neither processed nor dead-lettered nor in the queue: somebody else may read it.`
    : `${number(lost)} messages failed and were deleted all the same: without ReportBatchItemFailures Lambda ignores the response.`
}
