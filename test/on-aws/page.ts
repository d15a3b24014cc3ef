import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type Cost, costs, PRICES_OF, total } from './cost.ts'
import { EXPERIMENTS, type Experiment } from './experiments.ts'
import type { Outcome } from './run.ts'

/** What the last complete run on AWS observed. */
export interface Results {
  readonly date: string
  readonly region: string
  /** Of this package. */
  readonly version: string
  readonly outcomes: readonly Outcome[]
  /** The hosts of the calls that are not hosts of AWS. Missing if there were none. */
  readonly otherHosts?: readonly string[]
}

/** It does not exist until somebody has run the command on AWS. */
export const RESULTS_FILE = `${import.meta.dirname}/results.json`
export const PAGE_FILE = `${import.meta.dirname}/../../docs/on-aws.md`
/** The results of a run that was not on AWS, or only in part. Git ignores them. */
export const OTHER_RESULTS_FILE = `${import.meta.dirname}/not-on-aws.json`
export const OTHER_PAGE_FILE = `${import.meta.dirname}/not-on-aws.md`
export const NOT_YET_RUN = 'not yet run on AWS'

export function readResults(): Results | undefined {
  return existsSync(RESULTS_FILE) ? JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) : undefined
}

/** The files for a page and for the results that it shows. */
export function filesOf({ otherHosts }: Results): [page: string, results: string] {
  return otherHosts ? [OTHER_PAGE_FILE, OTHER_RESULTS_FILE] : [PAGE_FILE, RESULTS_FILE]
}

/** Writes a page and the results. Returns the paths of both files. */
export function writeResults(results: Results): string[] {
  const [page, data] = filesOf(results)
  writeFileSync(page, renderPage(results))
  writeFileSync(data, `${JSON.stringify(results, undefined, 2)}\n`)
  return [page, data]
}

/** The text of docs/on-aws.md. */
export function renderPage(results: Results | undefined): string {
  const rows = EXPERIMENTS.map((experiment) => rowOf(experiment, results))
  const parts = [
    results?.otherHosts ? '# Not on AWS' : '# On AWS',
    '<!-- Written by `npm run proof:aws` and `npm run docs:reference`. Change test/on-aws instead. -->',
    'Some facts that this package builds on can only be observed on AWS. `npm run proof:aws` in a clone of this repository observes them.',
    stateOf(results),
    table(['experiment', 'expected', 'observed', 'verdict'], rows),
    'In the first three experiments, the visibility timeout of the queue is 60 s. In the next two, a message is dead-lettered after four deliveries.',
    'In the other experiments, *deleted* means that a message was delivered once and did not return. *Redelivered* means that it returned until it was dead-lettered. What is expected links to the page of AWS that documents it. *Assumed* means that there is none.',
    '## Run it',
    '```sh\nnpm ci\nnpm run proof:aws\n```',
    'The command uses the credentials and the region of the AWS CLI. It shows the account and the estimate, and asks before it creates anything. `--yes` answers the question. The credentials need permissions for CloudFormation, IAM, Lambda, SQS, CloudWatch and CloudWatch Logs.',
    [
      '- It creates one CloudFormation stack, whose name begins with `bounded-sqs-batch-proof-`.',
      '- It takes about half an hour, and at most an hour.',
      '- At its end, it removes the stack with everything in it, also after a failure or Ctrl-C.',
      '- If it cannot remove the stack, for example because the credentials have expired, it prints what is left. `npm run proof:aws -- --clean` removes the stacks of all runs in the region.',
      '- If a variable such as `AWS_ENDPOINT_URL` or a profile names another endpoint than that of AWS, the question and the result say so. The result is then in `test/on-aws/not-on-aws.md`, and this page stays the same.',
      '- CloudWatch keeps the values of metrics for 15 months. They cost nothing, and nobody can delete them.',
      '- AWS sends a mail about the recursive loop to the address of the account, because one experiment makes such a loop.',
      '- It exits with 1 if an observation differs from what is expected, if something could not be observed, or if something is left.',
    ].join('\n'),
    '## What it costs',
    `A run costs at most $${total(costs()).toFixed(2)}, without the free tier, with the prices of ${PRICES_OF}.`,
    costTable(costs()),
  ]
  return `${parts.join('\n\n')}\n`
}

function stateOf(results: Results | undefined): string {
  if (!results) return `**${NOT_YET_RUN.replace('n', 'N')}.** The table shows what is expected.`
  const { date, region, version, outcomes, otherHosts } = results
  const count = (verdict: string) => outcomes.filter((outcome) => outcome.verdict === verdict).length
  const place = otherHosts ? `against ${otherHosts.join(' and ')}, **not on AWS**,` : `in ${region}`
  return `Run on ${date} ${place} with version ${version}: ${count('as expected')} of ${outcomes.length} as expected, ${count('differs')} differ, ${count('not observed')} not observed.`
}

/** An observation counts only for the expectation that it was compared with. */
function rowOf({ name, expected, source }: Experiment, results: Results | undefined): string[] {
  const found = results?.outcomes.find((outcome) => outcome.name === name && outcome.expected === expected)
  const text = escapeText(expected)
  const linked = source ? `[${text}](https://docs.aws.amazon.com/lambda/latest/dg/${source}.html)` : `${text} (assumed)`
  return [escapeText(name), linked, escapeText(found?.observed ?? ''), found?.verdict ?? 'not yet run']
}

/** Of what has a meaning in a table of Markdown. */
function escapeText(text: string): string {
  return text.replace(/[|[\]<*]/g, '\\$&')
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function costTable(rows: readonly Cost[]): string {
  const cells = rows.map(({ what, amount, dollars }) => [
    what,
    amount.toLocaleString('en-US', { maximumFractionDigits: 2 }),
    (amount * dollars).toFixed(4),
  ])
  return table(['what', 'at most', 'dollars'], cells)
}
