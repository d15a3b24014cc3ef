// Uses the command-line tool as the tests of an application do: by its command and by its entry for tests.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { SqsBatchDoctor } from 'bounded-sqs-batch/cdk'
import { MAPPING_DEFAULTS, numberedMessages, run } from 'bounded-sqs-batch/engine'

/** Starts the process of the handler with the flags that Lambda starts Node with. */
const NODE_OPTIONS = '--no-experimental-require-module --no-experimental-detect-module'

assert.equal(MAPPING_DEFAULTS.reportBatchItemFailures, true)
// It loads without aws-cdk-lib, which is not installed here.
assert.equal(new SqsBatchDoctor().name, 'bounded-sqs-batch')
const { sent, processed, redelivered, lost } = await run({
  queue: { visibilityTimeout: 31, maxReceives: 3 },
  function: { file: 'orders.mjs', env: { NODE_OPTIONS } },
  mapping: { batchSize: 10, windowMs: 0, retryAfter: 0 },
  messages: numberedMessages(20),
  idle: 0,
})
assert.deepEqual({ sent, processed, redelivered, lost }, { sent: 20, processed: 20, redelivered: 3, lost: 0 })

const local = tool(
  'local',
  'orders.mjs',
  '--env',
  `NODE_OPTIONS=${NODE_OPTIONS}`,
  '--messages',
  '20',
  '--batch-size',
  '10',
  '--window',
  '0',
  '--retry-after',
  '0',
)
assert.equal(local.status, 0, local.stderr)
assert.match(local.stdout, /│ processed +│ +20 │/)

const doctor = tool('doctor', 'template.json', '--format', 'json')
assert.equal(doctor.status, 1, doctor.stderr)
assert.deepEqual(
  JSON.parse(doctor.stdout).findings.map(({ rule }) => rule),
  ['report-batch-item-failures', 'no-redrive-policy'],
)
console.log('done')

/** Runs the file that npm links as the command, on this Node. */
function tool(...parameters) {
  const command = 'node_modules/.bin/bounded-sqs-batch'
  return spawnSync(process.execPath, [command, ...parameters], { encoding: 'utf8', timeout: 60_000 })
}
