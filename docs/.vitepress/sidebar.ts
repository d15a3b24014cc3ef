import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Group {
  readonly text: string
  readonly items: { readonly text: string; readonly link: string }[]
}

/** One entry for each page, with its title. A test checks that no page is missing. */
export const SIDEBAR: Group[] = [
  group('Start', [
    'index',
    'deploy',
    'sam',
    'cdk',
    'serverless',
    'terraform',
    'sst',
    'modules',
    'inner-handler',
    'other-middlewares',
    'from-middy-6',
    'from-sqs-partial-batch-failure',
    'from-powertools-batch',
  ]),
  group('Failures', ['failures', 'outages', 'crashes', 'dead-letters', 'failure-handlers']),
  group('Speed', [
    'settings',
    'batch-size',
    'concurrency',
    'rate-limit',
    'databases',
    'time-budget',
    'tune',
    'benchmarks',
  ]),
  group('Sources', ['validation', 'envelopes', 'fifo']),
  group('Testing', ['testing', 'local', 'simulators', 'reliability', 'on-aws']),
  group('Operations', [
    'doctor',
    'doctor-ci',
    'operations',
    'observability',
    'monitoring',
    'log-ids',
    'not-invoked',
    'deployment-errors',
    'troubleshooting',
  ]),
  group('Reference', [
    'options',
    'functions',
    'errors',
    'warnings',
    'channels',
    'types',
    'doctor-rules',
    'doctor-flags',
    'local-flags',
    'local-reference',
    'tune-flags',
    'versioning',
  ]),
]

function group(text: string, pages: readonly string[]): Group {
  const items = pages.map((page) => ({ text: titleOf(page), link: page === 'index' ? '/' : `/${page}` }))
  return { text, items }
}

function titleOf(page: string): string {
  const text = readFileSync(join(import.meta.dirname, `../${page}.md`), 'utf8')
  const [, title] = /^# (.+)$/m.exec(text) ?? []
  if (title === undefined) throw new Error(`expected a title in docs/${page}.md`)
  return title.replaceAll('`', '')
}
