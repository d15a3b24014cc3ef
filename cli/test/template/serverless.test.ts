import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { readTemplate } from '../../src/template/read-template.ts'
import { inProcess } from '../support/in-process.ts'
import { only, short } from '../support/templates.ts'

/**
 * What `serverless package` of the Serverless Framework 3.40 wrote for the functions `ship`, `bill-all` and `Audit_log`.
 * Of serverless-state.json, only the functions are left.
 */
const FOLDER = fileURLToPath(new URL('./fixtures/serverless', import.meta.url))
const FILE = join(FOLDER, 'cloudformation-template-update-stack.json')

test('the folder .serverless: the template is read, and serverless-state.json is not', async (t) => {
  const { code, stdout, stderr } = await inProcess(['doctor', '--json', FOLDER])
  t.strictSame([code, stderr], [1, ''])
  const { findings, inputs } = JSON.parse(stdout)
  t.match(inputs, [{ name: FILE, mappings: 4 }])
  t.strictSame(findings[0].rule, 'batch-needs-window')
})

test('serverless-state.json is not a template', async (t) => {
  const { code, stderr } = await inProcess(['doctor', join(FOLDER, 'serverless-state.json')])
  t.equal(code, 2)
  t.match(stderr, /serverless-state\.json is a configuration of the Serverless Framework\. Run "serverless package"/)
})

test('all settings of an event are read from the output of serverless package', async (t) => {
  const { mappings } = await readTemplate(FILE, new Map())
  const ship = only(mappings.filter(({ id }) => id.startsWith('Ship')))
  const { batchSize, window, reportBatchItemFailures, maximumConcurrency, function: target, queue } = ship
  t.strictSame(
    [batchSize, window, reportBatchItemFailures, maximumConcurrency, target.timeout, target.reservedConcurrency].map(
      short,
    ),
    [100, 5, true, 10, 20, 20],
  )
  t.strictSame([target.id, queue.id], ['ShipLambdaFunction', 'OrdersQueue'])
})
