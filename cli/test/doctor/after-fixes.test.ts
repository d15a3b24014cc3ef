import { type Test, test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { seededRandom } from '../../src/shared/random.ts'
import { CASES } from '../support/rule-cases.ts'
import { type Change, cloudFormation, findingsIn } from '../support/templates.ts'

type Template = { Resources: Record<string, { Properties: Record<string, unknown> }> }

/** Fixes that are not a new value: what a reader does, who follows the sentence. */
const BY_HAND: Readonly<Record<string, (template: Template, finding: Finding) => void>> = {
  'no-redrive-policy': ({ Resources }, { resource }) => {
    const { Properties = {} } = Resources[resource] ?? {}
    const name = Properties.FifoQueue ? 'x.fifo' : 'x'
    Properties.RedrivePolicy = { deadLetterTargetArn: `arn:aws:sqs:eu-west-1:123456789012:${name}`, maxReceiveCount: 5 }
  },
  'concurrency-and-provisioned': ({ Resources }, { resource }) => {
    delete Resources[resource]?.Properties.ScalingConfig
  },
  'filter-criteria': ({ Resources }, { resource }) => {
    delete Resources[resource]?.Properties.FilterCriteria
  },
}
/** Rules whose fix changes more than settings, and values that AWS rejects, on which other checks depend. */
const NOT_APPLIED =
  /^(stream-setting|unused-failure-settings|invalid-value|not-checked|filter-pattern|competing-filters|shared-queue|tenant-isolation|sender-not-allowed|duplicate-mapping|dead-letter-queue-refuses)$/

/** Raises the reserved concurrency, if the sentence of a fix also names it. */
function applySentence({ Resources }: Template, { fix }: Finding): void {
  const [, reserved] = /\bReservedConcurrentExecutions to ([\d,]+)/.exec(fix) ?? []
  if (reserved === undefined) return
  const value = Number(reserved.replace(',', ''))
  Object.assign(Resources.Handler?.Properties ?? {}, { ReservedConcurrentExecutions: value })
}

/** Sets the new value of a finding, such as `"ScalingConfig": { "MaximumConcurrency": 2 }`. */
function apply(template: Template, finding: Finding): void {
  // Of two directions, the sentence names the one of the new value first.
  const isLimit = finding.rule === 'concurrency-above-reserved' && /Maximum/.test(finding.set ?? '')
  if (!isLimit) applySentence(template, finding)
  const byHand = BY_HAND[finding.rule]
  if (byHand) byHand(template, finding)
  if (finding.set === undefined) return
  const properties = template.Resources[isLimit ? 'Orders' : finding.resource]?.Properties ?? {}
  for (const [name, value] of Object.entries(JSON.parse(`{${finding.set}}`) as Record<string, unknown>)) {
    const isMap = typeof value === 'object' && !Array.isArray(value)
    if (name === 'maxReceiveCount') Object.assign(properties.RedrivePolicy as object, { maxReceiveCount: value })
    else properties[name] = isMap ? { ...(properties[name] as object), ...(value as object) } : value
  }
}

function isOpen({ severity }: Finding): boolean {
  return severity !== 'info'
}

/** One fix can make another one necessary. Four rounds are enough. */
const ROUNDS = 4
/** The findings that are left after all fixes. Undefined if a fix is more than a setting. */
async function foundAfterFixes(t: Test, change: Change): Promise<string[] | undefined> {
  const template = JSON.parse(JSON.stringify(cloudFormation(change))) as Template
  const find = async () => (await findingsIn(t, template)).filter(isOpen)
  let findings = await find()
  for (let round = 0; round < ROUNDS; round++) {
    if (findings.some(({ rule }) => NOT_APPLIED.test(rule))) return undefined
    for (const finding of findings) apply(template, finding)
    findings = await find()
  }
  return findings.map(({ rule, resource, message }) => `${rule} ${resource} ${message}`)
}

test('after all fixes of a template of the rule cases, nothing is found', async (t) => {
  let count = 0
  for (const { title, change = {} } of CASES) {
    const found = await foundAfterFixes(t, change)
    if (found === undefined) continue
    count++
    t.strictSame(found, [], title)
  }
  t.ok(count > 80, `${count} cases`)
})

test('after all fixes of a random template, nothing is found', async (t) => {
  const random = seededRandom(1)
  const one = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T
  let found = 0
  for (let run = 0; run < 300; run++) {
    const isFifo = one(true, false, false)
    const mapping = () => ({
      BatchSize: one(undefined, 1, 10, 11, 10_000),
      MaximumBatchingWindowInSeconds: one(undefined, 0, 1, 300),
      ScalingConfig: one(undefined, { MaximumConcurrency: one(2, 20, 1001) }),
      ProvisionedPollerConfig: one(undefined, undefined, {
        MinimumPollers: one(2, 150),
        MaximumPollers: one(undefined, 5),
      }),
      FunctionResponseTypes: one(undefined, ['ReportBatchItemFailures']),
    })
    const policy = { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: one(1, 4, 5, 100, 1000) }
    const change: Change = {
      mapping: mapping(),
      function: {
        Timeout: one(undefined, 3, 60, 900),
        ReservedConcurrentExecutions: one(undefined, 0, 1, 3, 10, 1300),
      },
      queue: {
        FifoQueue: isFifo || undefined,
        VisibilityTimeout: one(undefined, 20, 60, 5700, 43_200),
        MessageRetentionPeriod: one(undefined, 60, 900, 3600, 1_209_600),
        DelaySeconds: one(undefined, 0, 900),
        RedrivePolicy: one(policy, policy, undefined),
      },
      dead: { FifoQueue: isFifo || undefined, MessageRetentionPeriod: one(60, 345_600, undefined, 1_209_600) },
    }
    const again = await foundAfterFixes(t, change)
    t.strictSame(again, [], JSON.stringify(change))
    const retentions = (await findingsIn(t, cloudFormation(change))).filter(({ rule }) => rule === 'short-retention')
    t.ok(retentions.length <= 1, 'at most one short-retention for a queue')
    found++
    if (again && again.length > 0) return
  }
  t.equal(found, 300)
})
