/** Runs in the browser: draws the charts from the data of the page. */
import { parse, type Spec, View } from 'vega'
import { expressionInterpreter } from 'vega-interpreter'
import { chartRows } from '../src/tune/report/figures.ts'
import { CONCURRENCIES, DATA } from './specs.ts'

// The types of the browser would also be visible in the code that runs in Node.
declare const document: { querySelector(selector: string): { textContent: string } | null }

/** `specs` has the compiled chart of each element. */
export async function draw(specs: Record<string, Spec>): Promise<void> {
  const rows = chartRows(JSON.parse(document.querySelector('#result')?.textContent ?? ''))
  const concurrencies = [...new Set(rows.map(({ concurrency }) => concurrency))]
  for (const [id, spec] of Object.entries(specs)) {
    const container = `#${id}`
    if (!document.querySelector(container)) continue // The page has no chart without data.
    // `ast` and the interpreter avoid eval, which the page's content security policy forbids.
    const runtime = parse(spec, undefined, { ast: true })
    const view = new View(runtime, { expr: expressionInterpreter, container, renderer: 'svg' })
    await view.data(DATA, rows).signal(CONCURRENCIES, concurrencies).runAsync()
  }
}
