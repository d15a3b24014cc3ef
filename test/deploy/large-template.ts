// `.ci/nightly` runs this: `doctor` on a template with 1,000 mappings takes a few seconds, and finds in each mapping what it
// finds in one.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const BIN = fileURLToPath(new URL('../../cli/dist/bin.js', import.meta.url))
const MAPPINGS = 1000
/** Four seconds on an idle machine. This allows for a busy one. */
const MAX_SECONDS = 12

const ref = (Ref: string) => ({ Ref })
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] })

/** The resources of a mapping whose visibility timeout is too short, whose role has no policy, and whose topic may not send. */
function resources(number: number): Record<string, object> {
  const [fn, queue, dead] = [`Function${number}`, `Queue${number}`, `DeadLetters${number}`]
  return {
    [fn]: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: arnOf(`Role${number}`),
        Timeout: 60,
        Code: { ZipFile: 'exports.handler = async () => ({ batchItemFailures: [] })' },
      },
    },
    [`Role${number}`]: { Type: 'AWS::IAM::Role', Properties: {} },
    [`Topic${number}`]: {
      Type: 'AWS::SNS::Topic',
      Properties: { Subscription: [{ Protocol: 'sqs', Endpoint: arnOf(queue) }] },
    },
    [`Policy${number}`]: {
      Type: 'AWS::SQS::QueuePolicy',
      Properties: {
        Queues: [ref(queue)],
        PolicyDocument: { Statement: { Effect: 'Allow', Principal: { Service: 's3.amazonaws.com' }, Action: 'sqs:*' } },
      },
    },
    [dead]: { Type: 'AWS::SQS::Queue', Properties: { MessageRetentionPeriod: 1_209_600 } },
    [queue]: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        VisibilityTimeout: 90,
        RedrivePolicy: { deadLetterTargetArn: arnOf(dead), maxReceiveCount: 5 },
      },
    },
    [`Mapping${number}`]: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: arnOf(queue),
        FunctionName: ref(fn),
        BatchSize: 10,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: 10 },
      },
    },
  }
}

/** How often `doctor` finds each rule in a template with so many mappings, and the seconds that it takes. */
async function check(t: Test, mappings: number): Promise<{ rules: Record<string, number>; seconds: number }> {
  const file = `${temporaryFolder(t)}/template.json`
  const all = Array.from({ length: mappings }, (_, number) => resources(number))
  writeFileSync(file, JSON.stringify({ Resources: Object.assign({}, ...all) }))
  const begin = performance.now()
  // It exits with 1 if there is an error.
  const command = [BIN, 'doctor', '--format', 'json', file]
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1e9 }).catch((error) => error)
  const seconds = (performance.now() - begin) / 1000
  const { findings }: { readonly findings: { readonly rule: string }[] } = JSON.parse(stdout)
  const byRule = Object.groupBy(findings, ({ rule }) => rule)
  const rules = Object.entries(byRule).map(([rule, found = []]) => [rule, found.length])
  return { rules: Object.fromEntries(rules), seconds }
}

t.test(`doctor finds the same in each of ${MAPPINGS} mappings, in less than ${MAX_SECONDS} s`, async (t) => {
  const one = await check(t, 1)
  t.not(Object.keys(one.rules).length, 0)
  const all = await check(t, MAPPINGS)
  t.comment(`1 mapping: ${one.seconds.toFixed(1)} s, ${MAPPINGS} mappings: ${all.seconds.toFixed(1)} s`)
  for (const [rule, count] of Object.entries(one.rules)) t.equal(all.rules[rule], count * MAPPINGS, rule)
  t.ok(all.seconds < MAX_SECONDS, `${all.seconds.toFixed(1)} s`)
})
