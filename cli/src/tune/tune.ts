import { writeFileSync } from 'node:fs'
import { formatNumber, openDisplay, wrap } from '../local/display.ts'
import { notLoaded, SIGNALS } from '../local/local.ts'
import { startOwnQueue } from '../local/own-queue.ts'
import { createCpuQuota, QUOTA_PERIOD_MS, type Quota, removeQuota } from '../local/runtime/cpu-quota.ts'
import { toEvent } from '../local/sqs-record.ts'
import { InitError } from '../shared/errors.ts'
import { choose } from './choose.ts'
import { combinationsOf, explore, fullMemory, type Plan, type Results } from './explore.ts'
import { formatFigure } from './figures/format.ts'
import type { TuneResult } from './figures/result.ts'
import { type MeasureOptions, measure, openRounds, StoppedError } from './measure.ts'
import { type TuneFlags, type TuneOptions, toTuneOptions } from './options.ts'
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
  const payload = toEvent(options.sample.batch())
  checkOutputs(flags, options.function.file)

  const stopping = new AbortController()
  const interrupt = () => stopping.abort()
  for (const signal of SIGNALS) process.on(signal, interrupt)
  const results: Results = { measurements: [], checks: new Map(), confirmed: [] }
  let stopped: string | undefined
  try {
    await run(options, flags, results, display, stream.columns, stopping.signal)
  } catch (error) {
    if (error instanceof InitError) throw notLoaded(handler, options.function, error)
    if (!(error instanceof StoppedError)) throw error
    stopped = error.message
  } finally {
    display.end()
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
  const result = resultOf(handler, options, results, stopped)
  console.log(flags.json ? JSON.stringify(result) : renderResult(result, process.stdout))
  if (flags.payload !== undefined) useOutput('--payload', flags.payload, (file) => writeFileSync(file, payload))
  if (flags.report !== undefined) {
    useOutput('--report', flags.report, (file) => writeFileSync(file, renderReport(result)))
  }
  if (stopped !== undefined) display.log(`incomplete: ${stopped}`)
  return result.best === null || stopped !== undefined ? 1 : 0
}

async function run(
  options: TuneOptions,
  flags: TuneFlags,
  results: Results,
  display: ReturnType<typeof openDisplay>,
  columns: number,
  signal: AbortSignal,
) {
  const { plan } = options
  const { environments } = plan.workload
  let left = options.maxMessages
  // Handlers that read DEAD_LETTER_QUEUE_URL send dead letters to a queue in this process. If they read another
  // variable, it can hold the URL of a real queue.
  const queue = await startOwnQueue({ visibilityTimeout: 30, maxReceives: 1000 })
  const quotas = createQuotas(environments)
  if (flags.confirm && !quotas) {
    display.log('warning: this machine does not permit cgroups, so --confirm has no effect. Try it as root')
  }
  const common: Omit<MeasureOptions, 'onRound'> = {
    function: { ...options.function, env: { ...queue.variables, ...options.function.env } },
    environments,
    sample: options.sample,
    precision: plan.precision,
    quotas,
    onBatch(records) {
      left -= records
      if (left < 0) throw new StoppedError(`the next batch would exceed --messages ${flags.messages}`)
    },
    signal,
  }
  function showRound(activity: string) {
    return (concurrency: number, round: number) => {
      const batch = round === 0 ? 'warm-up' : `round ${round} of at most ${plan.precision.maxRounds}`
      const parts = [`${activity} concurrency ${formatNumber(concurrency)}: ${batch}`, bestSoFar(results, plan)]
      display.show(
        () => wrap(parts, columns),
        () => parts.join(' · '),
      )
    }
  }
  function atFullCpu(concurrency: number, memory: number) {
    return measure(concurrency, memory, { ...common, onRound: showRound('trying') })
  }
  function withQuota(concurrency: number, memory: number) {
    return measure(concurrency, memory, { ...common, limitCpu: true, onRound: showRound(`confirming ${memory} MB,`) })
  }
  const rounds = openRounds(fullMemory(plan.memories), { ...common, onRound: showRound('trying') })
  try {
    await explore(
      plan,
      { round: rounds.measure, atFullCpu, withQuota: flags.confirm && quotas ? withQuota : undefined },
      results,
    )
  } finally {
    await rounds.close()
    await queue.close()
    for (const quota of quotas ?? []) await removeQuota(quota)
  }
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

function resultOf(handler: string, options: TuneOptions, results: Results, stopped: string | undefined): TuneResult {
  const { plan, patch, mapping } = options
  const { optimize, workload } = plan
  const { environments, batchSize } = workload
  const combinations = combinationsOf(results, plan)
  const best = choose(combinations, optimize, results.measurements)
  const { measurements } = results
  const uncertainty = best ? uncertaintyOf(best, combinations, measurements) : null
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
