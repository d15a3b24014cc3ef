import { accessSync, constants, existsSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { startOwnQueue } from '../local/queue/own-queue.ts'
import { notLoaded } from '../run-options/load-error.ts'
import { type Display, openDisplay } from '../shared/display.ts'
import { InitError, refuseIf, UsageError } from '../shared/errors.ts'
import { SIGNALS } from '../shared/signals.ts'
import { widthOf, wrapWords } from '../shared/wrap.ts'
import { startWith } from './environment.ts'
import { formatDuration, formatFigure } from './format.ts'
import { type TuneFlags, toTuneOptions } from './options.ts'
import { renderPage } from './page.ts'
import { toResult } from './recommend.ts'
import type { Measurement } from './result.ts'
import { findBest } from './run.ts'
import { kneeOf } from './search.ts'
import { renderResult } from './text.ts'

/** A round that is expected to end in time can take longer. After this share of the time, it is stopped. */
const MAX_SHARE = 1.08

/** The command `bounded-sqs-batch tune`: measures the handler, recommends settings, and returns the exit code. */
export async function tune(handler: string, flags: TuneFlags): Promise<number> {
  checkReport(flags)
  const options = await toTuneOptions(handler, flags)
  const { functionOptions, plan, range, window, sample, fifo } = options
  const stream = flags.json ? process.stderr : process.stdout
  const display = openDisplay(stream)
  for (const line of options.notes) display.log(line)

  const stopping = new AbortController()
  const interrupt = () => stopping.abort()
  for (const signal of SIGNALS) process.on(signal, interrupt)
  // Handlers that read DEAD_LETTER_QUEUE_URL send dead letters to a queue in this process. If they read another
  // variable, it can hold the URL of a real queue.
  const queue = await startOwnQueue({ visibilityTimeout: 30, maxReceives: 1000, fifo })
  try {
    const found = await findBest({
      start: startWith({ ...functionOptions, env: { ...queue.variables, ...functionOptions.env } }, fifo),
      plan,
      range,
      sample,
      time: flags.time,
      onRound: showRounds(performance.now() + flags.time, display, widthOf(stream)),
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(Math.round(flags.time * MAX_SHARE))]),
    })
    display.end()
    const isIncomplete = stopping.signal.aborted
    const result = toResult({ ...found, handler, plan, range, window, delivered: sample.delivered(), isIncomplete })
    console.log(flags.json ? JSON.stringify(result) : renderResult(result, process.stdout))
    if (flags.report !== undefined) writeFileSync(flags.report, renderPage(result))
    if (isIncomplete) display.log('incomplete: the run was interrupted')
    return result.best === null || isIncomplete ? 1 : 0
  } catch (error) {
    throw error instanceof InitError ? notLoaded(handler, functionOptions, error) : error
  } finally {
    display.end()
    await queue.close()
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

/** Shows what is tried, the time that is left, and the best result so far. */
function showRounds(endsAt: number, display: Display, width: number | undefined) {
  return (activity: string, measurements: readonly Measurement[]) => {
    const knee = kneeOf(measurements)
    const best = knee
      ? `best so far: ${formatFigure(knee.goodput)} records/s with concurrency ${knee.concurrency}`
      : 'no result yet'
    const text = `${activity} · ${formatDuration(endsAt - performance.now())} left · ${best}`
    display.show(
      () => wrapWords(text, width),
      () => text,
    )
  }
}

/** Refuses a page that would replace another kind of file, or that cannot be written, now and not after a long run. */
function checkReport({ report }: TuneFlags) {
  if (report === undefined) return
  const isThere = existsSync(report)
  refuseIf(
    isThere && !/\.html?$/.test(report),
    `--report ${report} would replace a file that is not an .html file: name a new file`,
  )
  try {
    accessSync(isThere ? report : dirname(report), constants.W_OK)
  } catch (error) {
    throw new UsageError(`--report ${report} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}
