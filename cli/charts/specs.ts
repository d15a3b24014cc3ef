/** The charts of `tune --report`. Their colours are variables of the page's style, with other values in dark mode. */
import type { Config, TopLevelSpec } from 'vega-lite'
import type { ChartId, CombinationRow, MeasurementRow } from '../src/tune/figures/format.ts'

/** The name of the data set. The page fills it with rows. */
export const DATA = 'rows'
/** The name of the signal with the concurrencies, each once. The page sets it. */
export const CONCURRENCIES = 'concurrencies'

/**
 * The axis needs a range, even if every value is 0. Every layer must have this: otherwise, Vega-Lite ignores the layers
 * without it, and the confidence intervals can be longer than the axis.
 */
const FROM_ZERO = { domain: { unionWith: [0, 1] } }

const config: Config = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: 'var(--muted)',
    labelFontSize: 12,
    labelPadding: 6,
    titleColor: 'var(--ink)',
    titleFontSize: 12,
    titleFontWeight: 600,
    titlePadding: 8,
    domainColor: 'var(--line)',
    gridColor: 'var(--line)',
    tickColor: 'var(--line)',
  },
}

/** The key of this object is the id of the element that shows the chart. */
export const specs: Record<ChartId, TopLevelSpec> = {
  'goodput-chart': heatMap('goodput', 'goodputText', [0.06, 1]),
  'cost-chart': heatMap('costPerMillion', 'costText', [1, 0.06]),
  'curve-chart': curve('goodput', 'Records per second', 220),
  'failed-chart': curve('failedPercent', 'Failed (%)', 90),
}

/** `opacities` are the strengths of the colour for the smallest and the largest value. */
function heatMap(value: keyof CombinationRow, text: keyof CombinationRow, opacities: [number, number]): TopLevelSpec {
  const colored = `datum.usable && isValid(datum.${value})`
  return {
    ...common({ step: 42 }),
    encoding: {
      x: {
        field: field('memory'),
        type: 'ordinal',
        scale: { paddingInner: 0.06 },
        axis: { title: 'Memory (MB)', labelAngle: 0, format: ',', domain: false, ticks: false },
      },
      y: {
        field: field('concurrency'),
        type: 'ordinal',
        scale: { paddingInner: 0.08 },
        axis: { title: 'Concurrency per environment', format: ',', domain: false, ticks: false },
      },
      tooltip: { field: field('details') },
    },
    layer: [
      {
        transform: [{ filter: colored }],
        mark: { type: 'rect', fill: 'var(--heat)', cornerRadius: 4 },
        encoding: {
          fillOpacity: {
            field: value,
            type: 'quantitative',
            scale: { range: opacities, zero: false, nice: false },
            legend: null,
          },
        },
      },
      {
        // The dashes distinguish unusable combinations without colour.
        transform: [{ filter: `!(${colored})` }],
        mark: { type: 'rect', fill: 'transparent', stroke: 'var(--bad)', strokeDash: [4, 3], cornerRadius: 4 },
      },
      {
        transform: [{ filter: 'datum.recommended' }],
        mark: { type: 'rect', fill: 'transparent', stroke: 'var(--ink)', strokeWidth: 2.5, cornerRadius: 4 },
      },
      {
        mark: {
          type: 'text',
          dy: -7,
          fontSize: 12,
          fontWeight: { expr: "datum.origin === 'predicted' ? 'normal' : 'bold'" },
          color: 'var(--ink)',
        },
        encoding: { text: { field: text } },
      },
      {
        mark: { type: 'text', dy: 9, fontSize: 11, color: 'var(--ink)' },
        encoding: { text: { field: field('marks') } },
      },
    ],
    resolve: { scale: { fillOpacity: 'independent' } },
  }
}

/** One figure of the measurements without a CPU limit, over the concurrency. */
function curve(value: keyof MeasurementRow, title: string, height: number): TopLevelSpec {
  return {
    ...common(height),
    encoding: {
      x: {
        field: field('concurrency'),
        type: 'quantitative',
        scale: { type: 'log', nice: false, padding: 16 },
        axis: {
          title: 'Concurrency per environment',
          values: { expr: CONCURRENCIES },
          format: ',',
          grid: false,
          labelOverlap: 'greedy',
          labelSeparation: 1,
        },
      },
      y: {
        field: value,
        type: 'quantitative',
        // The labels of both curves have the same width, so that equal concurrencies are below each other.
        axis: { title, format: ',~f', tickCount: height / 45, minExtent: 44, maxExtent: 44 },
      },
      tooltip: { field: field('details') },
    },
    layer: [
      { mark: { type: 'line', color: 'var(--accent)', strokeWidth: 2 } },
      // The confidence interval, which only the goodput has.
      ...(value === 'goodput'
        ? [
            {
              mark: { type: 'rule' as const, color: 'var(--ink)' },
              encoding: {
                y: { field: field('low'), type: 'quantitative' as const, scale: FROM_ZERO },
                y2: { field: field('high') },
              },
            },
          ]
        : []),
      {
        // Vega draws a cross as ✚. Rotated by 45°, it is ✕.
        mark: { type: 'point', filled: true, opacity: 1, size: 80, angle: 45 },
        encoding: {
          y: { field: value, type: 'quantitative', scale: FROM_ZERO },
          shape: { condition: { test: 'datum.overloaded', value: 'cross' }, value: 'circle' },
          color: { condition: { test: 'datum.overloaded', value: 'var(--bad)' }, value: 'var(--accent)' },
        },
      },
    ],
  }
}

function common(height: number | { step: number }) {
  return {
    data: { name: DATA },
    params: [{ name: CONCURRENCIES, value: [] }],
    width: 'container' as const,
    height,
    config,
  }
}

/** Lets TypeScript check the name of a field. */
function field(name: keyof CombinationRow | keyof MeasurementRow): string {
  return name
}
