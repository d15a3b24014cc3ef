import { writeFileSync } from 'node:fs'
import { notLoaded } from '../handler/not-loaded.ts'
import { startOwnQueue } from '../local/simulator/own-queue.ts'
import { toEvent } from '../local/simulator/sqs-record.ts'
import { type Display, openDisplay, wrap } from '../shared/display.ts'
import { InitError } from '../shared/errors.ts'
import { SIGNALS } from '../shared/flags.ts'
import { formatNumber } from '../shared/format.ts'
import { choose } from './choose.ts'
import { askIfLong, type Estimate, isLate, isLong, textOf } from './consent.ts'
import { createCpuQuota, QUOTA_PERIOD_MS, type Quota, removeQuota } from './cpu-quota.ts'
import { estimate, measureSpeeds, quickRun } from './estimate.ts'
import { combinationsOf, explore, noResults, type Plan, type Results } from './explore.ts'
import { PRECISION, QUICK } from './figures/confidence.ts'
import { formatDuration, formatFigure } from './figures/format.ts'
import type { TuneResult } from './figures/result.ts'
import { measureFor, StoppedError, startWith } from './measure.ts'
import { type Run, type TuneFlags, type TuneOptions, toTuneOptions } from './options.ts'
import { checkOutputs, useOutput } from './outputs.ts'
import { patchFor } from './patch.ts'
import { equalRange, recommendationFor, uncertaintyOf, unknownsOf } from './recommend.ts'
import { renderResult } from './render.ts'
import { renderReport } from './report/report.ts'

/** The command `bounded-sqs-batch tune`: measures the handler, recommends settings, and returns the exit code. */
export async function tune(handler: string, flags: TuneFlags): Promise<number> {
  const options = await toTuneOptions(handler, flags)
  const stream = flags.json ? process.stderr : process.stdout
  const display = openDisplay(stream)
  for (const line of options.notes) display.log(line)
  let run = options.run(options.batchSize, flags.quick ? QUICK : PRECISION)
  const payload = toEvent(run.sample.batch())
  checkOutputs(flags, options.function.file)

  const stopping = new AbortController()
  const interrupt = () => stopping.abort()
  for (const signal of SIGNALS) process.on(signal, interrupt)
  const results = noResults()
  let stopped: string | undefined
  let machine: Machine | undefined
  try {
    machine = await openMachine(options, flags, display, stopping.signal)
    const prepared = await prepare(run, options, flags, machine, display)
    run = prepared.run
    await perform(run, prepared.expected, machine, results, display, stream.columns)
  } catch (error) {
    if (error instanceof InitError) throw notLoaded(handler, options.function, error)
    if (!(error instanceof StoppedError)) throw error
    stopped = error.message
  } finally {
    display.end()
    await machine?.close()
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
  const result = resultOf(handler, options, run, results, stopped)
  console.log(flags.json ? JSON.stringify(result) : renderResult(result, process.stdout))
  if (flags.payload !== undefined) useOutput('--payload', flags.payload, (file) => writeFileSync(file, payload))
  if (flags.report !== undefined) {
    useOutput('--report', flags.report, (file) => writeFileSync(file, renderReport(result)))
  }
  if (stopped !== undefined) display.log(`incomplete: ${stopped}`)
  return result.best === null || stopped !== undefined ? 1 : 0
}

type Machine = Awaited<ReturnType<typeof openMachine>>

/** What the environments of a run need: a queue for dead letters, and CPU quotas. */
async function openMachine(options: TuneOptions, flags: TuneFlags, display: Display, signal: AbortSignal) {
  const { environments } = options
  // Handlers that read DEAD_LETTER_QUEUE_URL send dead letters to a queue in this process. If they read another
  // variable, it can hold the URL of a real queue.
  const queue = await startOwnQueue({ visibilityTimeout: 30, maxReceives: 1000 })
  const quotas = createQuotas(environments)
  if (flags.confirm && !quotas) {
    display.log('warning: this machine does not permit cgroups, so --confirm has no effect. Try it as root')
  }
  const handler = { ...options.function, env: { ...queue.variables, ...options.function.env } }
  let received = 0
  return {
    environments,
    start: startWith(handler, options.fifo, quotas),
    startLimited: flags.confirm && quotas ? startWith(handler, options.fifo, quotas, true) : undefined,
    onBatch(records: number) {
      if (received + records > options.maxMessages) {
        throw new StoppedError(`the next batch would exceed --messages ${flags.messages}`)
      }
      received += records
    },
    /** The number of messages that the handler has received so far. */
    received: () => received,
    signal,
    async close() {
      await queue.close()
      for (const quota of quotas ?? []) await removeQuota(quota)
    },
  }
}

/** Measures a few short batches, prints the estimate of the run, and asks if the run is long. */
async function prepare(run: Run, options: TuneOptions, flags: TuneFlags, machine: Machine, display: Display) {
  const activity = 'measuring a few short batches, to estimate the time'
  display.show(
    () => activity,
    () => activity,
  )
  const speeds = await measureSpeeds(run.plan, { ...machine, sample: run.sample })
  const isConfirmed = machine.startLimited !== undefined
  const quick = () => quickRun(options, speeds, isConfirmed)
  const chosen = flags.quick ? await quick() : { run, expected: await estimate(run.plan, speeds, isConfirmed) }
  const { batchSize } = chosen.run.plan.workload
  if (batchSize < run.plan.workload.batchSize) {
    display.log(`--quick: batches of ${formatNumber(batchSize)} records, so that the run is short`)
  }
  display.log(`estimate: ${textOf(chosen.expected)}`)
  if (flags.yes || !isLong(chosen.expected)) return chosen
  const other = flags.quick ? undefined : (await quick()).expected
  const shorter = other && !isLong(other) ? [{ flags: '--quick', estimate: other }] : []
  const output = flags.json ? process.stderr : process.stdout
  const canAnswer = process.stdin.isTTY && output.isTTY && flags.messagesFile !== '-'
  display.end()
  await askIfLong(chosen.expected, shorter, canAnswer ? { input: process.stdin, output } : undefined, machine.signal)
  return chosen
}

/** Measures, and shows the progress. */
async function perform(
  { plan, sample }: Run,
  expected: Estimate,
  machine: Machine,
  results: Results,
  display: Display,
  columns: number,
) {
  const startedAt = performance.now()
  const passed = () => performance.now() - startedAt
  const left = () => expected.ms - passed()
  function showRound(activity: string) {
    return (concurrency: number, round: number) => {
      const batch = round === 0 ? 'warm-up' : `round ${round}`
      const parts = [
        `${activity} concurrency ${formatNumber(concurrency)}: ${batch}`,
        left() > 0 ? `about ${formatDuration(left())} left` : 'ends soon',
        bestSoFar(results, plan),
      ]
      display.show(
        () => wrap(parts, columns),
        () => parts.join(' · '),
      )
    }
  }
  const { startLimited } = machine
  const measure = measureFor(
    plan,
    { ...machine, sample, precision: plan.precision, onRound: showRound('trying') },
    startLimited && ((memory) => ({ start: startLimited, onRound: showRound(`confirming ${memory} MB,`) })),
  )
  const before = machine.received()
  try {
    await explore(plan, measure, results, () => isLate(passed(), expected))
  } finally {
    await measure.close()
  }
  const taken = formatDuration(passed())
  display.log(`the run took ${taken}, and the handler received ${formatNumber(machine.received() - before)} messages`)
}

function bestSoFar(results: Results, plan: Plan): string {
  const best = choose(combinationsOf(results, plan), plan.optimize, results.measurements)
  if (!best) return 'no result yet'
  const { memory, concurrency, goodput, origin } = best
  return `best so far: ${formatFigure(goodput)} records/s with ${memory} MB × concurrency ${concurrency} (${origin})`
}

/** A CPU quota for each environment. Undefined if this machine does not permit cgroups. */
function createQuotas(count: number): Quota[] | undefined {
  const quotas = Array.from({ length: count }, (_, index) =>
    createCpuQuota(`bounded-sqs-batch-${process.pid}-${index}`, QUOTA_PERIOD_MS),
  )
  if (quotas.every((quota) => quota !== undefined)) return quotas
  for (const quota of quotas) quota?.remove()
  return undefined
}

function resultOf(
  handler: string,
  options: TuneOptions,
  { plan, patch }: Run,
  results: Results,
  stopped: string | undefined,
): TuneResult {
  const { mapping } = options
  const { optimize, workload } = plan
  const { environments, batchSize } = workload
  const combinations = combinationsOf(results, plan)
  const best = choose(combinations, optimize, results.measurements)
  const { measurements } = results
  const uncertainty = best ? uncertaintyOf(best, combinations, measurements, results.endedEarly) : null
  const incomplete = stopped === undefined ? null : `The run is incomplete: ${stopped}.`
  const notes = [uncertainty, incomplete].filter((note) => note !== null)
  return {
    handler,
    environments,
    batchSize,
    measurements: results.measurements.toSorted((a, b) => a.concurrency - b.concurrency),
    combinations,
    confirmations: results.confirmed.map(({ memory, measurement, predicted }) => {
      const { concurrency, goodput: confirmed } = measurement
      return { memory, concurrency, predicted, confirmed }
    }),
    best: best ?? null,
    equal: best ? equalRange(best, combinations, measurements) : null,
    uncertainty,
    optimize,
    recommendation: recommendationFor(best, combinations, plan, measurements),
    incomplete,
    patch: best ? patchFor(best, patch, notes, mapping) : null,
    unknowns: unknownsOf(environments, results.measurements, /ts$/.test(options.function.file)),
  }
}
