/** The chart of the page, in SVG. Its colours are variables of the page's style. */
import { formatFigure, formatShare } from './format.ts'
import { type Html, html } from './html.ts'
import type { Measurement } from './result.ts'
import { usableOf } from './search.ts'

const WIDTH = 400
const HEIGHT = 230
/** The area in which values are drawn. */
const [LEFT, RIGHT, TOP, BOTTOM] = [52, WIDTH - 18, 14, HEIGHT - 42]
/** The labels of the concurrencies are at least this far apart. */
const LABEL_WIDTH = 32
const MAX_TICKS = 5

/** The slowest and the fastest round do not change the axis: one of them would make all others look equal. */
const axisEndOf = (measurements: readonly Measurement[]) =>
  1.08 * Math.max(...measurements.map(({ goodput }) => goodput)) || 1

/** Whether the chart cuts a line, which then has a sign. */
export function isCut(measurements: readonly Measurement[]): boolean {
  return measurements.some(({ highest }) => highest > axisEndOf(measurements))
}

/** Records per second over the concurrency, with a vertical line from the slowest to the fastest round. */
export function goodputChart(measurements: readonly Measurement[], recommended: number | undefined): Html {
  const usable = usableOf(measurements)
  const concurrencies = measurements.map(({ concurrency }) => concurrency)
  const x = logarithmic(Math.min(...concurrencies), Math.max(...concurrencies))
  const most = axisEndOf(measurements)
  const y = (value: number) => round(BOTTOM - (BOTTOM - TOP) * Math.min(1, value / most))
  const points = measurements.map((each) => {
    const { concurrency, goodput, lowest, highest, failedShare } = each
    const [left, top] = [x(concurrency), y(goodput)]
    return html`<g>
<title>Concurrency ${formatFigure(concurrency)}: ${formatFigure(goodput)} records per second (${formatFigure(lowest)} to ${formatFigure(highest)}), ${formatShare(failedShare)} failed</title>
<line class="range" x1="${left}" x2="${left}" y1="${y(lowest)}" y2="${y(highest)}"/>
${highest > most ? html`<text class="cut" x="${left}" y="${TOP - 2}">▲</text>` : ''}
${concurrency === recommended ? html`<circle class="ring" cx="${left}" cy="${top}" r="9"/>` : ''}
${usable.includes(each) ? html`<circle class="point" cx="${left}" cy="${top}" r="4"/>` : html`<text class="bad" x="${left}" y="${top + 5}">✕</text>`}
</g>`
  })
  const labels = apart(concurrencies, x).map(
    (concurrency) => html`<text x="${x(concurrency)}" y="${BOTTOM + 17}">${formatFigure(concurrency)}</text>`,
  )
  const grid = ticksTo(most).map(
    (tick) => html`<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/>
<text class="tick" x="${LEFT - 6}" y="${y(tick) + 4}">${formatFigure(tick)}</text>`,
  )
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Records per second over the concurrency">
${grid}
<polyline class="line" points="${measurements.map(({ concurrency, goodput }) => `${x(concurrency)},${y(goodput)}`).join(' ')}"/>
${points}
${labels}
<text class="title" x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 6}">Concurrency of one environment</text>
</svg>`
}

function ticksTo(most: number): number[] {
  const magnitude = 10 ** Math.floor(Math.log10(most / MAX_TICKS))
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((each) => most / each <= MAX_TICKS) ?? most
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step)
}

function logarithmic(least: number, most: number): (value: number) => number {
  const [from, to] = [LEFT + 14, RIGHT - 14]
  if (least === most) return () => (from + to) / 2
  return (value) => round(from + ((to - from) * Math.log(value / least)) / Math.log(most / least))
}

/** Those whose labels do not overlap. */
function apart(values: readonly number[], x: (value: number) => number): number[] {
  const shown: number[] = []
  for (const value of values) {
    const last = shown.at(-1)
    if (last === undefined || x(value) - x(last) >= LABEL_WIDTH) shown.push(value)
  }
  return shown
}

const round = (position: number) => Math.round(position * 10) / 10
