/** Runs in the browser: draws the charts from the data of the page. */
import { parse, type Spec, View } from 'vega'
import { expressionInterpreter } from 'vega-interpreter'
import { type ChartId, chartRows } from '../src/tune/figures/format.ts'
import { CONCURRENCIES, DATA } from './specs.ts'

// Declared here, because the browser's types would also apply to the code that runs in Node.
declare const document: { querySelector(selector: string): { textContent: string } | null }

export async function draw(specs: Record<ChartId, Spec>): Promise<void> {
  const rowsOf = chartRows(JSON.parse(document.querySelector('#result')?.textContent ?? ''))
  for (const [id, rows] of Object.entries(rowsOf)) {
    if (rows.length === 0) continue // The page has no element for this chart.
    // `ast` and the interpreter avoid eval, which the page's content security policy forbids.
    const runtime = parse(specs[id as ChartId], undefined, { ast: true })
    const view = new View(runtime, { expr: expressionInterpreter, container: `#${id}`, renderer: 'svg' })
    const concurrencies = [...new Set(rows.map(({ concurrency }) => concurrency))]
    await view.data(DATA, rows).signal(CONCURRENCIES, concurrencies).runAsync()
  }
}
