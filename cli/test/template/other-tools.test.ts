import { join } from 'node:path'
import { test } from 'tap'
import { filesIn } from '../support/files.ts'
import { inProcess } from '../support/in-process.ts'
import { sam } from '../support/templates.ts'

const AFTERWARDS = 'After the deployment, run: bounded-sqs-batch doctor --function NAME\n'
const PULUMI = 'belongs to Pulumi, which doctor cannot read, so nothing was checked. '
const SST = 'belongs to SST, which doctor cannot read, so nothing was checked. '

async function run(root: string, ...paths: string[]) {
  const { code, stdout, stderr } = await inProcess(['doctor', ...paths.map((path) => join(root, path))])
  return { code, stdout, stderr: stderr.replaceAll(`${root}/`, '').replaceAll(root, '') }
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
