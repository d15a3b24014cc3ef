import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { MEMORY_OF_ONE_CPU } from '../../shared/reserve.ts'
import { causesOf, problemsOf } from '../figures/causes.ts'
import {
  type ChartId,
  formatCost,
  formatFigure,
  formatMargin,
  formatNeeded,
  formatShare,
  isSameCombination,
  isUsable,
  MARKS,
} from '../figures/format.ts'
import type { Combination, EqualConcurrencies, Measurement, Optimize, Origin, TuneResult } from '../figures/result.ts'
import { count, describeCost, describeCurve, describeGoodput } from './chart-descriptions.ts'
import { GENERATOR, Html, html, scriptJson } from './html.ts'
import { STYLE } from './style.ts'

const OPTIMIZED_FOR: Record<Optimize, string> = {
  speed: 'speed',
  cost: 'low cost',
  balanced: 'a balance of speed and cost',
}

const ORIGINS: [Origin, string][] = [
  ['measured', 'The handler ran on this machine with this concurrency, without a CPU limit.'],
  ['confirmed', 'The handler ran on this machine with this concurrency, and with the CPU share of this memory size.'],
  [
    'predicted',
    'Calculated from the measurement of this concurrency. With a smaller CPU share, the first records of a batch take longer to start, so the goodput is lower. It is at most environments × CPU share ÷ CPU time per record. It is reduced further if a confirmation for the same memory size was lower than its prediction.',
  ],
]

/** The report of a run as one HTML file, which loads nothing from the network. */
export function renderReport(result: TuneResult): string {
  // The build writes this file. The path is the same from src/ and from dist/.
  const script = readFileSync(new URL('../../../dist/tune/report/charts.js', import.meta.url), 'utf8')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="${GENERATOR}">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Concurrency and memory for ${result.handler}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>Concurrency and memory for <code>${result.handler}</code></h1>
<p class="muted">${count(result.combinations.length, 'combination')}, ${count(result.environments, 'execution environment')}, batches of ${count(result.batchSize, 'record')}, optimized for ${OPTIMIZED_FOR[result.optimize]}</p>
</header>
<main>
${warnings(result)}
${recommendation(result)}
<noscript><section><p>The charts need JavaScript. The table has the same figures.</p></section></noscript>
${charts(result)}
${combinations(result)}
${patch(result)}
${origins(result)}
${unknowns(result)}
</main>
<script type="application/json" id="result">${scriptJson(result)}</script>
<script>${new Html(script)}</script>
</body>
</html>
`.text
}

/** Forbids every request, and every script except the code of the charts. Vega sets inline styles. */
function contentSecurityPolicy(script: string): string {
  const hash = createHash('sha256').update(script).digest('base64')
  return `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'`
}

function warnings({ uncertainty, incomplete }: TuneResult): Html {
  const warnings = [uncertainty, incomplete].filter((text) => text !== null)
  if (warnings.length === 0) return html``
  return html`<section class="warnings">
<h2>Before you use these figures</h2>
<ul>
${warnings.map((warning) => html`<li>${warning}</li>`)}
</ul>
</section>`
}

function recommendation({ best, recommendation, equal, environments }: TuneResult): Html {
  return html`<section class="recommendation ${best ? 'found' : 'none'}">
<h2>Recommendation</h2>
<p>${recommendation}</p>
${best ? keyFigures(best, equal, environments) : []}
</section>`
}

function keyFigures(best: Combination, equal: EqualConcurrencies | null, environments: number): Html {
  const { memory, concurrency, goodput, margin, costPerMillion, failedShare, p95, origin } = best
  const where = environments === 1 ? [] : [`in each of ${formatFigure(environments)} environments`]
  const others = equal ? [`${formatFigure(equal.least)} to ${formatFigure(equal.most)} are equal`] : []
  const exactness = margin === null ? origin : `${formatMargin(margin)}, ${origin}`
  const figures: [string, string, string, string][] = [
    ['Memory', formatFigure(memory), 'MB', ''],
    ['Concurrency', formatFigure(concurrency), '', [...where, ...others].join('; ')],
    ['Goodput', formatFigure(goodput), 'records/s', exactness],
    ['Cost per million messages', formatCost(costPerMillion), '', exactness],
    ['Failed records', formatShare(failedShare), '', origin],
    ['95 % of the records take at most', formatFigure(p95), 'ms', origin],
  ]
  return html`<dl class="key-figures">
${figures.map(([name, value, unit, note]) => html`<div><dt>${name}</dt><dd><b>${value}</b> ${unit} <small>${note}</small></dd></div>`)}
</dl>`
}

interface ChartSection {
  readonly id: string
  readonly title: string
  readonly explanation: string
  /** What the chart shows, for people who do not see it. */
  readonly description: string
  /** The ids of the elements in which charts/page.ts draws. */
  readonly elements: readonly ChartId[]
  readonly legend: readonly string[]
  /** What follows the chart. */
  readonly more?: Html
}

function charts(result: TuneResult): Html {
  const legend = [
    `${MARKS.best} recommended`,
    ...ORIGINS.map(([name]) => `${MARKS[name]} ${name}`),
    `${MARKS.unusable} cannot be used (the list below “All combinations” says why)`,
  ]
  const isEmpty = result.combinations.length === 0
  return html`<div class="pair">
${chart({
  id: 'goodput',
  title: 'Goodput',
  explanation:
    'Successful records per second, of all execution environments together. A stronger colour means a higher goodput.',
  description: describeGoodput(result),
  elements: isEmpty ? [] : ['goodput-chart'],
  legend,
})}
${chart({
  id: 'cost',
  title: 'Cost',
  explanation: 'Dollars per million messages. A stronger colour means a lower cost.',
  description: describeCost(result),
  elements: isEmpty ? [] : ['cost-chart'],
  legend,
})}
</div>
${chart({
  id: 'curve',
  title: 'Goodput over concurrency',
  explanation:
    'Measurements without a CPU limit. The vertical lines are 95 % confidence intervals. The scale of the concurrency is logarithmic.',
  description: describeCurve(result),
  elements: result.measurements.length === 0 ? [] : ['curve-chart', 'failed-chart'],
  legend: [`${MARKS.measured} measured`, `${MARKS.unusable} measured, and too many records failed`],
  more: measurements(result),
})}`
}

function chart({ id, title, explanation, description, elements, legend, more }: ChartSection): Html {
  return html`<section>
<h2>${title}</h2>
<figure>
<figcaption><p id="${id}-description">${description}</p><p class="muted">${explanation}</p></figcaption>
${
  elements.length === 0
    ? []
    : html`<div role="img" aria-label="Chart: ${title}" aria-describedby="${id}-description">
${elements.map((element) => html`<div class="chart" id="${element}" aria-hidden="true"></div>`)}
</div>
<ul class="legend">
${legend.map((entry) => html`<li>${entry}</li>`)}
</ul>`
}
</figure>
${more ?? ''}
</section>`
}

function measurements({ measurements }: TuneResult): Html {
  const columns: Column[] = [
    ['Concurrency', 'per environment'],
    ['Goodput', 'records/s'],
    ['95 % confidence', 'of the goodput'],
    ['Failed', 'of the records'],
    ['Batches', 'without the warm-up'],
  ]
  return html`${table('Measurements without a CPU limit', columns, measurements.map(measurementRow))}
${list('Why records failed', causesOf(measurements), ({ text, count, concurrencies }) => html`${formatFigure(count)} × ${text} (concurrency ${concurrencies})`)}
${list('Why a concurrency cannot be used', problemsOf(measurements), ({ text, concurrencies }) => html`${text} (concurrency ${concurrencies})`)}`
}

/** A list below a table, so that the rows of the table stay short. */
function list<T>(title: string, items: readonly T[], toHtml: (item: T) => Html): Html {
  if (items.length === 0) return html``
  return html`<h3>${title}</h3>
<ul>
${items.map((item) => html`<li>${toHtml(item)}</li>`)}
</ul>`
}

function measurementRow({ concurrency, goodput, margin, isConfident, failedShare, batches }: Measurement): Html {
  return html`<tr>
<th scope="row">${formatFigure(concurrency)}</th><td>${formatFigure(goodput)}</td>
<td>${formatMargin(margin)}</td><td>${formatShare(failedShare)}</td>
<td>${formatFigure(batches)}${isConfident || margin === null ? '' : ', the maximum'}</td>
</tr>`
}

/** The name and the unit. */
type Column = readonly [string, string]

const COMBINATION_COLUMNS: readonly Column[] = [
  ['Memory', 'MB'],
  ['Concurrency', 'per environment'],
  ['Goodput', 'records/s'],
  ['Failed', 'of the records'],
  ['p50', 'ms'],
  ['p95', 'ms'],
  ['CPU per record', 'ms'],
  ['Peak memory', 'MB'],
  ['Peak descriptors', 'files and sockets'],
  ['Cost', 'per million messages'],
  ['How obtained', ''],
  ['Note', ''],
]

function combinations({ combinations, best }: TuneResult): Html {
  const sorted = combinations.toSorted((a, b) => a.memory - b.memory || a.concurrency - b.concurrency)
  // The rows have the number of a problem, because its text can be long.
  const problems = [...new Set(sorted.flatMap(({ problem }) => problem ?? []))]
  const rows = sorted.map((combination) => combinationRow(combination, best, problems))
  return html`<section>
<details>
<summary><h2>All combinations</h2></summary>
<p class="muted">Half of the records take at most p50, and 95 % take at most p95.</p>
${table('Figures of each combination', COMBINATION_COLUMNS, rows)}
${
  problems.length === 0
    ? []
    : html`<h3>Why combinations cannot be used</h3>
<ol>
${problems.map((problem) => html`<li>${problem}</li>`)}
</ol>`
}
</details>
</section>`
}

/** A table in a box of its own, which scrolls on a narrow screen. */
function table(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table>
<caption>${caption}</caption>
<thead><tr>
${columns.map(([name, unit]) => html`<th scope="col">${name}${unit ? html` <small>${unit}</small>` : ''}</th>`)}
</tr></thead>
<tbody>
${rows}
</tbody>
</table>
</div>`
}

function combinationRow(combination: Combination, best: Combination | null, problems: readonly string[]): Html {
  const figures = [
    formatFigure(combination.goodput),
    formatShare(combination.failedShare),
    formatFigure(combination.p50),
    formatFigure(combination.p95),
    formatFigure(combination.cpuPerRecord),
    formatNeeded(combination.peakMemory),
    formatFigure(combination.peakDescriptors),
    formatCost(combination.costPerMillion),
  ]
  const recommended = isSameCombination(combination, best)
  const notes = [
    ...(recommended ? [noteWith(MARKS.best, 'recommended')] : []),
    ...(combination.problem === undefined
      ? []
      : [noteWith(MARKS.unusable, `reason ${problems.indexOf(combination.problem) + 1}`)]),
  ]
  return html`<tr class="${recommended ? 'best' : isUsable(combination) ? '' : 'unusable'}">
<th scope="row">${formatFigure(combination.memory)}</th><th scope="row">${formatFigure(combination.concurrency)}</th>
${figures.map((figure) => html`<td>${figure}</td>`)}
<td>${noteWith(MARKS[combination.origin], combination.origin)}</td><td>${notes}</td>
</tr>`
}

/** A screen reader does not read the mark. */
function noteWith(mark: string, text: string): Html {
  return html`<span aria-hidden="true">${mark} </span>${text}`
}

function patch({ patch }: TuneResult): Html {
  return html`<section>
<h2 id="patch">Settings for SAM or CloudFormation</h2>
${
  patch === null
    ? html`<p>There are no settings, because there is no recommendation.</p>`
    : html`<pre class="scroll" role="region" aria-labelledby="patch" tabindex="0"><code>${patch}</code></pre>`
}
</section>`
}

function origins({ combinations }: TuneResult): Html {
  return html`<section>
<h2>How each figure was obtained</h2>
<p class="muted">The CPU share of a function is memory ÷ ${formatFigure(MEMORY_OF_ONE_CPU)} MB. Predictions use at most as many cores as the handler used, but at least 1.</p>
<dl class="terms">
${ORIGINS.map(([name, text]) => {
  const number = combinations.filter(({ origin }) => origin === name).length
  return html`<dt>${noteWith(MARKS[name], name)} <span class="muted">(${count(number, 'combination')})</span></dt><dd>${text}</dd>`
})}
</dl>
</section>`
}

function unknowns({ unknowns }: TuneResult): Html {
  return html`<section>
<h2>What this machine cannot know</h2>
<ul>
${unknowns.map((unknown) => html`<li>${unknown}</li>`)}
</ul>
</section>`
}
