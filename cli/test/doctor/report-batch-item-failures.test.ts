import { join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { CODE_INPUTS } from '../support/code-inputs.ts'
import { filesIn } from '../support/files.ts'
import { cdkOutput, cloudFormation, findingsInFile, sam } from '../support/templates.ts'
import { findingsInPlan, terraformState } from '../support/terraform.ts'

const REPORTS = 'export const handler = async () => ({ batchItemFailures: failed })'
const THROWS = 'export const handler = async () => { throw new Error("no") }'
const OFF = { FunctionResponseTypes: undefined }
const FIX = 'Let the code report the messages that failed. Set FunctionResponseTypes to [ReportBatchItemFailures].'
const ONE = { ...OFF, BatchSize: 1, MaximumBatchingWindowInSeconds: undefined }

/** The severity and the message of the only finding in a template that is in a folder with these files. */
async function findingIn(t: Test, template: { Resources: object }, files: Record<string, string>) {
  const root = filesIn(t, { ...files, 'template.json': JSON.stringify(template) })
  const findings = findingsInFile(join(root, 'template.json'))
  t.strictSame(
    findings.map(({ rule }) => rule),
    ['report-batch-item-failures'],
  )
  return findings[0]
}

for (const [title, template, file] of CODE_INPUTS) {
  test(`${title}: an error if the code can report failures, and a warning if it cannot`, async (t) => {
    t.match(await findingIn(t, template({ mapping: OFF }), { [`${file}.mjs`]: REPORTS }), {
      severity: 'error',
      message:
        /^ReportBatchItemFailures is off, but the function can report failures: batchItemFailures in .*index\.mjs\. Lambda ignores/,
    })
    t.match(await findingIn(t, template({ mapping: OFF }), { [`${file}.mjs`]: THROWS }), {
      severity: 'warning',
      message:
        /^ReportBatchItemFailures is off, and the code does not report failures\. Searched: .*index\.mjs\. If the function throws, Lambda redelivers the whole batch, with the messages that were processed\.$/,
      fix: FIX,
    })
  })
  test(`${title}: with a batch size of 1, an info if the code cannot report failures, else an error`, async (t) => {
    t.match(await findingIn(t, template({ mapping: ONE }), { [`${file}.mjs`]: THROWS }), {
      severity: 'info',
      message: /If the function throws, Lambda redelivers the only message of the batch\.$/,
      fix: FIX,
    })
    t.match(await findingIn(t, template({ mapping: ONE }), { [`${file}.mjs`]: REPORTS }), { severity: 'error' })
  })
  test(`${title}: a warning if the code is not there, also if package.json names a library`, async (t) => {
    const message = /^ReportBatchItemFailures is off, and it is not known whether the function reports failures: /
    t.match(await findingIn(t, template({ mapping: OFF }), {}), { severity: 'warning', message })
    t.match(await findingIn(t, template({ mapping: ONE }), {}), { severity: 'info', message })
    const manifest = '{ "dependencies": { "middy-bounded-sqs-batch": "1.0.0" } }'
    t.match(await findingIn(t, template({ mapping: OFF }), { 'package.json': manifest }), {
      severity: 'warning',
      message: /, but .*package\.json names middy-bounded-sqs-batch\. If the function reports failures, Lambda ignores/,
    })
  })
}

for (const [title, code] of [
  ['SAM, InlineCode', (inline: string) => sam({ mapping: OFF, function: { InlineCode: inline } })],
  [
    'CloudFormation, ZipFile',
    (inline: string) => cloudFormation({ mapping: OFF, function: { Code: { ZipFile: inline } } }),
  ],
] as const) {
  test(`${title}: the code in the template is searched`, async (t) => {
    t.match(await findingIn(t, code(REPORTS), {}), {
      severity: 'error',
      message: /batchItemFailures in the code in the template/,
    })
    t.match(await findingIn(t, code(THROWS), {}), {
      severity: 'warning',
      message: /Searched: the code in the template\./,
    })
  })
}

test('code that is packaged, in a bucket: an error', async (t) => {
  const found = {
    severity: 'warning',
    message:
      /it is not known whether the function reports failures: the template does not say which local file has the code/,
  }
  t.match(await findingIn(t, sam({ mapping: OFF, function: { CodeUri: 's3://code/0f1e', Handler: 'a.b' } }), {}), found)
  const inBucket = { CodeUri: { Bucket: 'code', Key: '0f1e' }, Handler: 'a.b' }
  t.match(await findingIn(t, sam({ mapping: OFF, function: inBucket }), {}), found)
})

test('a container image: its code is not searched', async (t) => {
  const template = sam({ mapping: OFF, function: { PackageType: 'Image', Runtime: undefined } })
  t.match(await findingIn(t, template, {}), { severity: 'warning', message: /the code is in a container image/ })
})

test('Terraform: the source of archive_file is searched', (t) => {
  for (const [code, severity] of [
    [REPORTS, 'error'],
    [THROWS, 'warning'],
  ] as const) {
    const root = filesIn(t, { 'src/index.mjs': code })
    const state = terraformState({ mapping: OFF, function: { Handler: 'index.handler', filename: 'orders.zip' } })
    const values = { output_path: 'orders.zip', source_dir: join(root, 'src') }
    const archive = { address: 'data.archive_file.code', mode: 'data', type: 'archive_file', name: 'code', values }
    state.values.root_module.resources.push(archive as never)
    t.match(findingsInPlan(state), [{ rule: 'report-batch-item-failures', severity }])
  }
  const own = process.cwd()
  t.teardown(() => process.chdir(own))
  process.chdir(filesIn(t, { 'package.json': '{}' })) // the nearest package.json could depend on a library
  const remote = terraformState({ mapping: OFF, function: { S3Bucket: 'code' } })
  t.match(findingsInPlan(remote), [{ severity: 'warning', message: /the plan or state does not name a local file/ }])
  t.end()
})

test('FunctionResponseTypes that is not known is a warning', async (t) => {
  for (const template of [sam, cloudFormation, cdkOutput]) {
    const unknown = { FunctionResponseTypes: { 'Fn::ImportValue': 'x' } }
    t.match(await findingIn(t, template({ mapping: unknown }), {}), {
      severity: 'warning',
      message: /^It is not known whether ReportBatchItemFailures is on: Fn::ImportValue x comes from another stack\. /,
    })
  }
})

test('a function in Python is not searched: a warning that says so', async (t) => {
  const python = { Runtime: 'python3.14', Handler: 'app.handler', CodeUri: 'src' }
  const files = { 'src/app.py': 'return {"batchItemFailures": failed}' }
  const message = /the runtime is python3\.14, and only JavaScript and TypeScript are searched/
  t.match(await findingIn(t, sam({ mapping: OFF, function: python }), files), { severity: 'warning', message })
})
