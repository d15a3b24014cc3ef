import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { filesIn } from '../support/files.ts'
import { command } from '../support/runs.ts'
import { sam } from '../support/templates.ts'

/**
 * Files as Pulumi and SST write them, with names of our own. Their form is that of the types in the source of both
 * tools, and of an export in Pulumi's documentation. No command of Pulumi or SST was run.
 */
const FIXTURES = fileURLToPath(new URL('./fixtures/pulumi/', import.meta.url))

const PULUMI =
  'belongs to Pulumi, which doctor cannot read, so nothing was checked. Check yourself that each EventSourceMapping of a queue sets functionResponseTypes: ["ReportBatchItemFailures"]. Otherwise, Lambda deletes the messages that the function reports as failed. '
const SST =
  'belongs to SST, which doctor cannot read, so nothing was checked. Check yourself that each queue.subscribe() sets batch: { partialResponses: true }, and each other EventSourceMapping of a queue sets functionResponseTypes: ["ReportBatchItemFailures"]. Otherwise, Lambda deletes the messages that the function reports as failed. '
const AFTERWARDS = 'After the deployment, run: bounded-sqs-batch doctor --function NAME\n'
function missingFor(name: string) {
  return `In this file, the setting is missing or not known for: ${name}. `
}

async function run(root: string, ...paths: string[]) {
  const { code, stdout, stderr } = await command(['doctor', ...paths.map((path) => join(root, path))])
  return { code, stdout, stderr: stderr.replaceAll(`${root}/`, '').replaceAll(root, '') }
}

for (const [file, what, belongs, missing] of [
  ['stack-export.json', 'pulumi stack export', PULUMI, 'ship-orders'],
  ['backend-file.json', 'the file of a stack in a backend of Pulumi', PULUMI, 'ship-orders'],
  ['preview.json', 'pulumi preview --json, whose old states and deletions do not count', PULUMI, 'ship-orders'],
  ['preview-events.jsonl', 'pulumi preview --json as a stream of events', PULUMI, undefined],
  ['sst-state-export.json', 'sst state export', SST, 'OrdersSubscriberBdxkamEventSourceMapping'],
  ['sst-state-file.json', 'the state of SST in its bucket', SST, 'OrdersSubscriberBdxkamEventSourceMapping'],
] as const) {
  test(`${what}: exit code 2, and what to check`, async (t) => {
    const { code, stdout, stderr } = await run(FIXTURES.slice(0, -1), file)
    t.strictSame([code, stdout], [2, ''])
    const names = missing === undefined ? '' : missingFor(missing)
    t.equal(stderr, `bounded-sqs-batch: ${file} ${belongs}${names}${AFTERWARDS}`)
  })
}

const clean = JSON.stringify(sam({ function: { Runtime: 'provided.al2023' } }))
const FILES = {
  'sst/sst.config.ts': 'export default $config({})',
  'sst/.sst/platform/template.json': clean,
  'pulumi/Pulumi.yaml': 'name: orders\nruntime: nodejs\n',
  'pulumi/Pulumi.dev.yaml': 'config: {}\n',
  'terraform/main.tf': '',
  'serverless/serverless.yml': 'service: orders\nprovider: { name: aws }\n',
  'templates/template.json': clean,
  'templates/Pulumi.yaml': 'name: network\n',
  'states/template.json': clean,
  'states/state.json': '{"version":3,"deployment":{"resources":[{"urn":"urn:pulumi:dev::orders::a:b/c:D::e"}]}}',
}

for (const [path, file, pattern] of [
  ['sst/sst.config.ts', 'sst/sst.config.ts', SST + AFTERWARDS],
  ['sst/.sst', 'sst/.sst', SST + AFTERWARDS],
  ['sst', 'sst/sst.config.ts', SST + AFTERWARDS],
  ['pulumi/Pulumi.dev.yaml', 'pulumi/Pulumi.dev.yaml', PULUMI + AFTERWARDS],
  ['pulumi', 'pulumi/Pulumi.yaml', PULUMI + AFTERWARDS],
  ['terraform', 'terraform/main.tf', 'is a Terraform configuration.'],
  ['serverless', 'serverless/serverless.yml', 'belongs to the Serverless Framework.'],
] as const) {
  test(`${path} has nothing to read: exit code 2, and what to do`, async (t) => {
    const { code, stdout, stderr } = await run(filesIn(t, FILES), path)
    t.strictSame([code, stdout], [2, ''])
    t.match(stderr, `bounded-sqs-batch: ${file} ${pattern}`)
  })
}

test('a folder with a template and a program of Pulumi: the template is checked', async (t) => {
  const { code, stderr } = await run(filesIn(t, FILES), 'templates')
  t.strictSame([code, stderr], [0, ''])
})

test('a folder with a template and a state of Pulumi: the template is checked, and the exit code is 2', async (t) => {
  const { code, stdout, stderr } = await run(filesIn(t, FILES), 'states')
  t.equal(code, 2)
  t.match(stdout, '1 mapping checked: 0 errors')
  t.equal(stderr, `bounded-sqs-batch: states/state.json ${PULUMI}${AFTERWARDS}`)
})
