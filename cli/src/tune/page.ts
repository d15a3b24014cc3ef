import { countOf } from '../shared/format.ts'
import { goodputChart, isCut } from './chart.ts'
import { formatCost, formatFigure, formatShare } from './format.ts'
import { Html, html } from './html.ts'
import type { Combination, TuneResult } from './result.ts'
import { STYLE } from './style.ts'
import { settingsLines } from './text.ts'

/** The result of a run as one HTML file, without scripts. It loads nothing from the network. */
export function renderPage(result: TuneResult): string {
  const { handler, environments, batchSize, optimize } = result
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Concurrency and memory for ${handler}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>Concurrency and memory for <code>${handler}</code></h1>
<p class="muted">${countOf(environments, 'environment')}, batches of ${countOf(batchSize, 'record')}, --optimize ${optimize}</p>
</header>
<main>
${warnings(result)}
${recommendation(result)}
${result.measurements.length === 0 ? '' : charts(result)}
<section>
<p>The sample messages were repeated with new ids. A handler that is idempotent by the body skips such messages, so the figures are too high. Switch this off for the run, for Powertools with <code>--env POWERTOOLS_IDEMPOTENCY_DISABLED=true</code>.</p>
<p>These values are a first guess. Confirm the memory size on AWS, with AWS Lambda Power Tuning.</p>
</section>
</main>
</body>
</html>
`.text
}

function warnings({ failures, warnings, isIncomplete }: TuneResult): Html {
  const all = [...failures, ...warnings, ...(isIncomplete ? ['The run was interrupted.'] : [])]
  if (all.length === 0) return html``
  return html`<section class="warnings">
<h2>Failures and warnings</h2>
<ul>
${all.map((text) => html`<li>${text}</li>`)}
</ul>
</section>`
}

function recommendation({ best, recommendation, settings, measurements }: TuneResult): Html {
  const measured = measurements.find(({ concurrency }) => concurrency === best?.concurrency)
  const tiles: [string, string][] =
    best && measured
      ? [
          ['Memory', `${formatFigure(best.memory)} MB`],
          ['Concurrency', formatFigure(best.concurrency)],
          ['Records per second', formatFigure(best.goodput)],
          ['Per million messages', formatCost(best.costPerMillion)],
          ['Failed records', formatShare(measured.failedShare)],
        ]
      : []
  return html`<section class="recommendation ${best ? '' : 'none'}">
<h2>Recommendation</h2>
${tiles.length === 0 ? '' : html`<dl class="tiles">${tiles.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}
<p>${recommendation}</p>
${settings ? html`<pre><code>${settingsLines(settings).join('\n')}</code></pre>` : ''}
</section>`
}

function charts({ measurements, combinations, best, equal }: TuneResult): Html {
  const ofBest = combinations.filter(({ concurrency }) => concurrency === best?.concurrency)
  return html`<div class="pair">
<section>
<h2>Records per second over concurrency</h2>
${goodputChart(measurements, best?.concurrency)}
<p class="muted">Measured with a full CPU. A vertical line leads from the slowest to the fastest round${isCut(measurements) ? ', or ends at ▲ if the fastest is above the axis' : ''}. ○ is recommended${equal.length > 1 ? `, and ${formatFigure(equal.length)} concurrencies are equal` : ''}. ✕ cannot be used.</p>
</section>
${
  ofBest.length === 0
    ? ''
    : html`<section>
<h2>Cost over memory</h2>
${costBars(ofBest, best)}
<p class="muted">Dollars per million messages at the recommended concurrency. ★ is recommended.</p>
</section>`
}
</div>
<section>
<h2 id="all">Records per second of each combination</h2>
${heatMap(combinations, best)}
<p class="muted">Predicted for memory sizes with a smaller CPU share. A frame marks the recommendation. ✕ cannot be used.</p>
</section>`
}

function costBars(combinations: readonly Combination[], best: Combination | null): Html {
  const highest = Math.max(...combinations.map(({ costPerMillion }) => costPerMillion ?? 0))
  return html`<table class="bars">
${combinations.map(({ memory, costPerMillion, problem }) => {
  const share = Math.round((70 * (costPerMillion ?? 0)) / highest)
  const star = memory === best?.memory ? ' ★' : ''
  const bar = html`<span class="bar" style="width: ${share}%"></span> ${formatCost(costPerMillion)}${star}`
  return html`<tr><th scope="row">${formatFigure(memory)} MB</th><td>${problem ?? bar}</td></tr>`
})}
</table>`
}

/** A table with a row for each concurrency and a column for each memory size. */
function heatMap(combinations: readonly Combination[], best: Combination | null): Html {
  const memories = [...new Set(combinations.map(({ memory }) => memory))]
  const highest = Math.max(...combinations.map(({ goodput }) => goodput))
  const rows = Map.groupBy(combinations, ({ concurrency }) => concurrency)
  return html`<div class="scroll" role="region" aria-labelledby="all" tabindex="0">
<table class="heat">
<thead><tr><th scope="col">Concurrency</th>${memories.map((memory) => html`<th scope="col">${formatFigure(memory)} MB</th>`)}</tr></thead>
<tbody>
${Array.from(rows, ([concurrency, row]) => html`<tr><th scope="row">${formatFigure(concurrency)}</th>${row.map((each) => cell(each, best, highest))}</tr>`)}
</tbody>
</table>
</div>`
}

function cell({ memory, concurrency, goodput, problem }: Combination, best: Combination | null, highest: number): Html {
  if (problem !== undefined) return html`<td class="unusable" title="${problem}">✕</td>`
  const isBest = memory === best?.memory && concurrency === best.concurrency
  const share = Math.round((90 * goodput) / highest)
  return html`<td class="${isBest ? 'recommended' : ''}" style="--share: ${share}%">${formatFigure(goodput)}${isBest ? ' ★' : ''}</td>`
}
