import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { printed } from '../support/compat.ts'
import { standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'
import {
  alarmsOf,
  cdkTemplate,
  metricsOf,
  type Properties,
  partsOf,
  samFile,
  samTemplate,
  type Template,
  widgetsOf,
  written,
} from '../support/templates.ts'

type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

/** A line in the embedded metric format. Its dimensions are fields of the line. */
interface Metrics {
  _aws: { CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string }[] }[] }
  [dimension: string]: unknown
}

/**
 * Invokes a bundled powertools-metrics.ts with three records. The downstream refuses the second. Returns the posted
 * bodies, the reported ids and the published metrics, in the notation of a dashboard.
 */
async function invoke(t: Test, folder: string, handlerSetting: string) {
  const posted: string[] = []
  process.env.DOWNSTREAM_URL = await startDownstream(t, ({ body }) => {
    posted.push(body)
    return body === 'body of b' ? 503 : 200
  })
  const [module, name = ''] = handlerSetting.split('.')
  const handler: Handler = (await import(`${folder}/${module}.mjs`))[name]
  let reported: string[] = []
  const lines = await printed(() =>
    logged(async () => {
      reported = failed(await handler(standardEvent('a', 'b', 'c'), timedContext(LONG)))
    }),
  )
  const published = (lines as unknown as Metrics[]).flatMap(({ _aws, ...fields }) =>
    _aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) => {
      const sets = Dimensions.map((names) => names.toSorted().flatMap((name) => [name, dimensionOf(fields[name])]))
      return Metrics.flatMap(({ Name }) => sets.map((dimensions) => [Namespace, Name, ...dimensions].join(' ')))
    }),
  )
  return { result: { posted: posted.sort(), reported }, published }
}

/** The value of a dimension in the notation of a dashboard, for the queue of the event. */
function dimensionOf(value: unknown): unknown {
  return value === standardEvent('a').Records[0]?.eventSourceARN ? `\${Queue.Arn}` : value
}

/** The metrics in alarms and in the dashboard that neither AWS nor the function publishes. */
function notPublished(template: Template, published: string[]): string[] {
  const inAlarms = Object.values(alarmsOf(template))
    .flatMap(metricsOf)
    .map(({ Namespace, MetricName, Dimensions }) => {
      const dimensions = Dimensions.flatMap(({ Name, Value }: Properties) => [Name, written(template, Value)])
      return [Namespace, MetricName, ...dimensions].join(' ')
    })
  const inWidgets = widgetsOf(template).flatMap(({ properties: { metrics = [] } }) =>
    metrics.map((metric: unknown[]) => metric.filter((part) => typeof part === 'string').join(' ')),
  )
  return [...inAlarms, ...inWidgets].filter((metric) => !metric.startsWith('AWS/') && !published.includes(metric))
}

const expected = { posted: ['body of a', 'body of b', 'body of c'], reported: ['b'] }

t.test(
  'the function of the SAM template, bundled with its BuildProperties, handles an event and publishes every metric of its alarms and dashboard',
  async (t) => {
    const folder = temporaryFolder(t)
    const { Metadata } = samTemplate().Resources.Function ?? {}
    t.equal(Metadata?.BuildMethod, 'esbuild')
    const { EntryPoints, ...options } = Metadata?.BuildProperties ?? {}
    // `sam build` runs this command of aws-lambda-builders. Without a package.json next to the template, it installs
    // nothing and bundles the sources where they are.
    const flags = Object.entries(options).flatMap(([name, value]) => {
      const flag = `--${name.replaceAll(/(?<=.)[A-Z]/g, '-$&').toLowerCase()}`
      if (typeof value === 'boolean') return value ? [flag] : []
      return Array.isArray(value) ? value.map((item) => `${flag}:${item}`) : [`${flag}=${value}`]
    })
    await promisify(execFile)(
      fileURLToPath(new URL('../../node_modules/.bin/esbuild', import.meta.url)),
      [...EntryPoints, '--bundle', '--platform=node', `--outdir=${folder}`, ...flags],
      { cwd: dirname(samFile), env: { PATH: process.env.PATH } },
    )
    const template = samTemplate(true)
    const { result, published } = await invoke(t, folder, partsOf(template).lambda.Handler)
    t.strictSame(result, expected)
    t.strictSame(notPublished(template, published), [])
  },
)

t.test(
  'the function of the CDK app, bundled by its synthesis, handles an event and publishes every metric of its alarms and dashboard',
  async (t) => {
    const folder = temporaryFolder(t)
    const { template } = cdkTemplate(folder)
    const assets = globSync(`${folder}/asset.*`)
    t.equal(assets.length, 1)
    const { result, published } = await invoke(t, assets[0] as string, partsOf(template).lambda.Handler)
    t.strictSame(result, expected)
    t.strictSame(notPublished(template, published), [])
  },
)
