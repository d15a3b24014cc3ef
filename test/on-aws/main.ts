/** `npm run proof:aws`: performs the experiments on AWS, and writes docs/on-aws.md. */
import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { type Aws, connect } from './aws.ts'
import { costs, PRICES_OF, total } from './cost.ts'
import { EXPERIMENTS } from './experiments.ts'
import { costTable, writeResults } from './page.ts'
import { type Outcome, reasonOf, remove, run } from './run.ts'
import { MAXIMUM_CONCURRENCY, setups } from './template.ts'

const MINUTES = 50
const ROOT = resolve(import.meta.dirname, '../..')
const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8'))

/** A reason to end before anything is created. */
class Refusal extends Error {}

function print(line: string): void {
  console.log(`${new Date().toTimeString().slice(0, 8)} ${line}`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { yes: { type: 'boolean' }, clean: { type: 'boolean' } } })
  const aws = connect()
  const { account, region } = await identify(aws)
  const hosts = aws.otherHosts()
  const where = `account ${account}, ${region}${hosts.length > 0 ? ` (at ${hosts.join(', ')}, which is not AWS)` : ''}`
  if (values.clean) return clean(aws, where, values.yes)

  const needed = setups.filter(([, { queue }]) => queue).length * MAXIMUM_CONCURRENCY + 1
  const free = await aws.freeConcurrency()
  if (free < needed) {
    throw new Refusal(
      `at least ${needed} concurrent executions must be free in ${where}, but only ${free} are. In AWS Service Quotas, request more "Concurrent executions" of Lambda; this costs nothing`,
    )
  }
  console.log(`${costTable(costs())}\n`)
  const question = `Perform ${EXPERIMENTS.length} experiments in ${where}, for at most $${total(costs()).toFixed(2)} (${PRICES_OF}), in at most an hour?`
  await confirm(question, values.yes)
  return perform(aws, region)
}

async function identify(aws: Aws) {
  try {
    return { region: await aws.region(), account: await aws.account() }
  } catch (error) {
    throw new Refusal(
      `the credentials and the region of an AWS account are needed (${reasonOf(error)}). Set AWS_PROFILE and AWS_REGION, or sign in with the AWS CLI`,
    )
  }
}

async function confirm(question: string, yes = false): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY) throw new Refusal(`${question} Pass --yes, because nobody can answer`)
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await lines.question(`${question} [y/N] `)
  lines.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new Refusal('nothing was created')
}

async function perform(aws: Aws, region: string): Promise<number> {
  const interrupted = interruption()
  const hour = new AbortController()
  setTimeout(() => hour.abort(new Error(`not within ${MINUTES} minutes`)), MINUTES * 60_000).unref()
  const id = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
  const signal = AbortSignal.any([interrupted, hour.signal])
  const { outcomes, left } = await run({ aws, id, experiments: EXPERIMENTS, signal, print })

  console.log(`\n${outcomes.map(lineOf).join('\n')}\n`)
  if (left) console.error(`${left}\n`)
  else print('everything was removed')
  const count = (verdict: string) => outcomes.filter((outcome) => outcome.verdict === verdict).length
  if (!interrupted.aborted && count('not observed') < outcomes.length) {
    const date = new Date().toISOString().slice(0, 10)
    const otherHosts = aws.otherHosts()
    const place = otherHosts.length > 0 ? { otherHosts } : {}
    const files = writeResults({ date, version, region, outcomes, ...place })
    print(`wrote ${files.map((file) => relative(ROOT, file)).join(' and ')}`)
  }
  print(`${count('as expected')} as expected, ${count('differs')} differ, ${count('not observed')} not observed`)
  return count('as expected') === outcomes.length && !left ? 0 : 1
}

/**
 * A signal that aborts with Ctrl-C. Further signals have no effect: with npm, Ctrl-C reaches this process twice, and the
 * stack must be removed in any case.
 */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) return
      print(`${signal}: no more experiments. The stack is being removed, which takes a few minutes`)
      controller.abort(new Error(`interrupted by ${signal}`))
    })
  }
  // If the terminal was closed, an error of the output would end this process before the stack is removed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  return controller.signal
}

function lineOf({ name, expected, observed, verdict }: Outcome): string {
  const text = verdict === 'as expected' ? observed : `${observed} (expected: ${expected})`
  return `${verdict.padEnd('not observed'.length)}  ${name}: ${text}`
}

/** Removes the stacks of all runs, also of one that runs now. */
async function clean(aws: Aws, where: string, yes = false): Promise<number> {
  const stacks = await aws.stacks()
  for (const { StackName, StackStatus, CreationTime } of stacks) {
    console.log(`${StackName}  ${StackStatus}  ${CreationTime?.toISOString()}`)
  }
  if (stacks.length === 0) {
    console.log(`nothing is left in ${where}`)
    return 0
  }
  await confirm(`Remove these stacks in ${where}?`, yes)
  let code = 0
  for (const { StackName } of stacks) {
    const left = await remove(aws, `${StackName}`, print)
    if (!left) continue
    console.error(left)
    code = 1
  }
  return code
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`proof:aws: ${error instanceof Refusal ? error.message : reasonOf(error)}`)
  process.exitCode = 2
}
