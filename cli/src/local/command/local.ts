import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { notLoaded } from '../../run-options/load-error.ts'
import { type Display, openDisplay } from '../../shared/display.ts'
import { InitError, refuseIf } from '../../shared/errors.ts'
import { splitExport } from '../../shared/handler-file.ts'
import { SIGNALS } from '../../shared/signals.ts'
import { widthOf, wrapWords } from '../../shared/wrap.ts'
import type { Ledger, Progress } from '../account/ledger.ts'
import { run } from '../event-source/run.ts'
import type { Queue } from '../queue/queue.ts'
import { differencesOf } from './differences-from-lambda.ts'
import { renderLedger, renderVerdict, showProgress } from './display.ts'
import { type LocalFlags, toRunOptions, withDebugger } from './options.ts'
import { withTemplate } from './template-flags.ts'
import { whyFailed } from './verdict.ts'

const SAME_SIGNAL_MS = 300

/** The command `bounded-sqs-batch local`: runs the handler, prints the ledger, and returns the exit code. */
export async function local(handler: string, given: LocalFlags): Promise<number> {
  const { flags, notes, mapping } = await withTemplate(withDebugger(given), splitExport(handler).file)
  const stream = flags.json ? process.stderr : process.stdout
  const print = (line: string) => stream.write(`${wrapWords(line, widthOf(stream))}\n`)
  for (const note of notes) print(note) // before the options are checked: these notes may explain an error
  const options = await toRunOptions(handler, flags, mapping, print)
  await announceGivenQueue(flags, stream)
  const display = openDisplay(stream)
  const draining = new AbortController()
  const stopping = new AbortController()
  const interrupt = openInterrupt({ draining, stopping }, display.log)
  for (const signal of SIGNALS) process.on(signal, interrupt)

  /** Prints the ledger of a run that has ended, also by an error. */
  function report(ledger: Ledger, reason: string | undefined) {
    display.end()
    const differences = differencesOf(ledger, options, mapping)
    if (flags.json) {
      const verdict = { verdict: reason === undefined ? 'passed' : 'failed', reason }
      process.stdout.write(`${JSON.stringify({ ...verdict, ...ledger, differences })}\n`)
      return
    }
    process.stdout.write(`${renderLedger(ledger, process.stdout)}\n`)
    if (reason !== undefined && ledger.failures[0]) display.log(`first failure: ${ledger.failures[0]}`)
    for (const difference of differences) display.log(`not as on AWS: ${difference}`)
  }

  try {
    const ledger = await run({
      ...options,
      ...callbacksOf(flags, display, stream),
      function: {
        ...options.function,
        ...(flags.quiet ? {} : { onLog: (line: string) => display.print(`function | ${line}`, process.stderr) }),
      },
      onUnfinished: (unfinished) => {
        if (unfinished.delivered > 0) report(unfinished, 'the run ended by an error')
      },
      drain: draining.signal,
      stop: stopping.signal,
    })
    const reason = whyFailed(ledger, flags)
    report(ledger, reason)
    display.log(renderVerdict(reason, ledger, stream))
    return reason === undefined ? 0 : 1
  } catch (error) {
    display.end()
    throw error instanceof InitError ? notLoaded(handler, options.function, error) : error
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

function callbacksOf(flags: LocalFlags, display: Display, stream: NodeJS.WriteStream) {
  return {
    onStart({ queueUrl, deadLetterUrl, fifo }: Queue) {
      if (flags.port === undefined) return
      display.log(`${fifo ? 'FIFO queue' : 'queue'} ${queueUrl}`)
      if (deadLetterUrl) display.log(`dead-letter queue ${deadLetterUrl}`)
    },
    onWarning: (line: string) => display.log(`warning | ${line}`, process.stderr),
    onProgress: (progress: Progress) => showProgress(display, progress, stream),
  }
}

/** Returns what a signal does: the first one finishes the running batches, and the second one stops them. */
export function openInterrupt(
  { draining, stopping }: Record<'draining' | 'stopping', AbortController>,
  log: (line: string) => void,
  now = () => performance.now(),
) {
  let lastSignal = 0
  return () => {
    // If npm started this process, Ctrl-C reaches it twice: from the terminal and from npm. Signals in quick
    // succession count as one.
    if (draining.signal.aborted && now() - lastSignal < SAME_SIGNAL_MS) return
    lastSignal = now()
    if (draining.signal.aborted) {
      log('stopping immediately: the messages of running invocations stay in the queue')
      return stopping.abort()
    }
    log('finishing the running batches; press Ctrl-C again to stop immediately')
    draining.abort()
  }
}

/** Says what the run does to a queue of somebody else. On a terminal, asks whether it may start. */
export async function announceGivenQueue(
  { queueUrl }: Pick<LocalFlags, 'queueUrl'>,
  stream: NodeJS.WriteStream,
  input: NodeJS.ReadStream = process.stdin,
) {
  if (queueUrl === undefined) return
  const what = `this run receives AND DELETES the messages of ${queueUrl}`
  if (!input.isTTY || !stream.isTTY) {
    stream.write(`${wrapWords(what, widthOf(stream))}\n`)
    return
  }
  stream.write(`${what}.\nStart it? (y/N) `) // not by readline, which in Node 26 writes it only to some streams
  const lines = createInterface({ input })
  const [answer] = await Promise.race([once(lines, 'line'), once(lines, 'close')]) // closed by Ctrl-D
  lines.close()
  refuseIf(!/^y(es)?$/i.test(String(answer).trim()), 'the run was not started')
}
