import { test } from 'tap'
import { filesIn } from '../support/files.ts'
import { inProcess } from '../support/in-process.ts'

for (const [file, message] of [
  ['sst.config.ts', /of SST or Pulumi\. After its deployment, use --function NAME\n$/],
  ['Pulumi.yaml', /of SST or Pulumi\. After its deployment, use --function NAME\n$/],
  ['main.tf', /of Terraform\. Run: terraform plan -out plan\.out && .* \| bounded-sqs-batch doctor -\n$/],
  ['main.tofu', /of Terraform\. Run: terraform plan -out plan\.out && .* \| bounded-sqs-batch doctor -\n$/],
  ['main.tf.json', /of Terraform\. Run: terraform plan -out plan\.out && .* \| bounded-sqs-batch doctor -\n$/],
  ['serverless.ts', /of the Serverless Framework\. Run "serverless package", and check the folder \.serverless\n$/],
  ['serverless.yml', /of the Serverless Framework\. Run "serverless package", and check the folder \.serverless\n$/],
] as const) {
  test(`${file} cannot be read: exit code 2, and what to do`, async (t) => {
    const path = `${filesIn(t, { [file]: 'service: orders\n' })}/${file}`
    const { code, stdout, stderr } = await inProcess(['doctor', path])
    t.strictSame([code, stdout], [2, ''])
    t.match(stderr, `bounded-sqs-batch: ${path} is a configuration `)
    t.match(stderr, message)
  })
}
