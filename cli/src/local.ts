import { number, openDisplay, renderLedger } from './display.ts'
import { InitError, UsageError } from './errors.ts'
import { type LocalFlags, toRunOptions } from './local-options.ts'
import { type RunOptions, run } from './run.ts'
import { withTemplate } from './template-flags.ts'

const SAME_SIGNAL_MS = 300
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What a template says counts as flags, so nobody has given the one that an error names. */
const optionsOf = (handler: string, flags: LocalFlags) => {
  try {
    return toRunOptions(handler, flags)
  } catch (error) {
    if (!flags.template || !(error instanceof UsageError)) throw error
    const { message } = error
    const { template } = flags
    throw new UsageError(`${message} (or ${template} says so: bounded-sqs-batch doctor ${template})`, { cause: error })
  }
}

/** `bounded-sqs-batch local`: runs, shows, and answers the exit code. */
export const local = async (handler: string, given: LocalFlags): Promise<number> => {
  const { flags, lines } = await withTemplate(given)
  const display = openDisplay(flags.json ? process.stderr : process.stdout)
  for (const line of lines) display.log(line) // before options are refused: it may be for one of these
  const options = optionsOf(handler, flags)
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
      onProgress: display.progress,
      drain: draining.signal,
      stop: stopping.signal,
    })
    display.end()
    if (flags.json) {
      console.log(JSON.stringify({ ...ledger, ...(flags.watchFailures > 0 ? { failures } : {}) }))
    } else {
      console.log(renderLedger(ledger))
      if (ledger.sentDeadLetters > 0) console.log(whatWasSent(ledger.sentDeadLetters))
      if (ledger.lost > 0) console.log(whyLost(ledger.lost, flags))
      if (ledger.remaining > 0) console.log(`${number(ledger.remaining)} messages were left in the queue.`)
    }
    return ledger.lost + ledger.remaining === 0 ? 0 : 1
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
const hintFor = ({ file, runtimeClient }: RunOptions['function'], { message }: InitError) => {
  if (!/ts$/.test(file)) return ''
  if (runtimeClient) return '; does its client load TypeScript?'
  if (!/strip-only mode|Cannot find module .* imported from .*ts$/.test(message)) return ''
  const flags = '--bundle --packages=external --platform=node --format=esm --outfile=handler.mjs'
  return `; bundle it first (esbuild ${file} ${flags}) and give handler.mjs`
}

const whatWasSent = (count: number) =>
  `Dead letters that the handler sent itself: ${number(count)}. What it did not report failed counts as processed.`

const whyLost = (lost: number, flags: LocalFlags) =>
  flags.reportBatchItemFailures
    ? `${number(lost)} messages are neither processed nor dead-lettered nor in the queue: somebody else may read it.`
    : `${number(lost)} messages failed and were deleted all the same: without ReportBatchItemFailures Lambda ignores the response.`
