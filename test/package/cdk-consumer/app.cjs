// An app of the CDK whose only mapping has ReportBatchItemFailures on or off.
const assert = require('node:assert/strict')
const { mkdtempSync } = require('node:fs')
const { App, Stack, Validations } = require('aws-cdk-lib')
const lambda = require('aws-cdk-lib/aws-lambda')
const { SqsEventSource } = require('aws-cdk-lib/aws-lambda-event-sources')
const { Queue } = require('aws-cdk-lib/aws-sqs')

const CODE =
  'exports.handler = async ({ Records }) => ({ batchItemFailures: [{ itemIdentifier: Records[0].messageId }] })'

/** What the CDK prints and throws. */
function synth(reportBatchItemFailures, plugin) {
  const app = new App({ outdir: mkdtempSync('cdk.out-'), context: { '@aws-cdk/core:appMode': 'inmemory' } })
  const stack = new Stack(app, 'Shop')
  const handler = new lambda.Function(stack, 'Handler', {
    runtime: lambda.Runtime.NODEJS_22_X,
    handler: 'index.handler',
    code: lambda.Code.fromInline(CODE),
  })
  handler.addEventSource(new SqsEventSource(new Queue(stack, 'Queue'), { reportBatchItemFailures }))
  Validations.of(app).addPlugins(plugin)
  const printed = []
  const { error, log } = console
  console.error = console.log = (...parts) => printed.push(...parts)
  try {
    app.synth()
    return { failed: process.exitCode === 1, text: printed.join('\n') }
  } catch (thrown) {
    return { failed: true, text: `${printed.join('\n')}\n${thrown.message}` }
  } finally {
    Object.assign(console, { error, log })
    process.exitCode = 0
  }
}

module.exports = function checkPlugin(SqsBatchDoctor) {
  const off = synth(false, new SqsBatchDoctor())
  assert.equal(off.failed, true)
  assert.match(off.text, /report-batch-item-failures/)
  assert.match(off.text, /Shop\/Handler\/SqsEventSource:ShopQueue\w+/)
  assert.match(off.text, /Set FunctionResponseTypes to \[ReportBatchItemFailures\]/)
  const on = synth(true, new SqsBatchDoctor())
  assert.equal(on.failed, false, on.text)
  assert.match(on.text, /no-redrive-policy/)
  console.log('done')
}
