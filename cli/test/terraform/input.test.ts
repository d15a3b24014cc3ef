import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { inProcess } from '../support/in-process.ts'
import { command, folder } from '../support/runs.ts'
import { cloudFormation, templateFile } from '../support/templates.ts'
import { terraformPlan, terraformState } from '../support/terraform.ts'

// A runtime that is supported until 2029.
const function_ = { Runtime: 'provided.al2023' }
const clean = terraformState({ function: function_ })
const wrong = terraformState({ function: function_, mapping: { FunctionResponseTypes: [] } })

test('a state on standard input: the address of the resource, and no position', async (t) => {
  const { code, stdout, stderr } = await command(['doctor', '-'], { input: JSON.stringify(wrong) })
  t.strictSame([code, stderr], [0, ''])
  t.match(
    stdout,
    /^warning report-batch-item-failures aws_lambda_event_source_mapping\.orders {2}ReportBatchItemFailures is off, and/,
  )
  t.match(stdout, '\n    function_response_types = ["ReportBatchItemFailures"]\n')
  t.notMatch(stdout, 'undefined')
  t.match(stdout, '1 mapping checked: 0 errors, 1 warning, 0 info')
})

test('a state in a file, also in UTF-16 with a byte order mark, as PowerShell 5 writes it', async (t) => {
  const file = join(folder(t), 'plan.json')
  for (const bytes of [JSON.stringify(clean), Buffer.from(`\uFEFF${JSON.stringify(clean)}`, 'utf16le')]) {
    writeFileSync(file, bytes)
    const { code, stdout } = await inProcess(['doctor', file])
    t.strictSame([code, stdout.split('\n')[0]], [0, '1 mapping checked: 0 errors, 0 warnings, 0 info'])
  }
})

test('--format github: an annotation without a file', async (t) => {
  const { stdout } = await inProcess(['doctor', '-', '--format', 'github'], { input: JSON.stringify(wrong) })
  t.match(stdout, /^::warning title=report-batch-item-failures%3A aws_lambda_event_source_mapping\.orders::/)
})

test('a template on standard input', async (t) => {
  const reporting = { InlineCode: 'batchItemFailures' }
  const template = cloudFormation({ function: reporting, mapping: { FunctionResponseTypes: [] } })
  const { code, stdout } = await inProcess(['doctor', '-', '--format', 'json'], { input: JSON.stringify(template) })
  t.equal(code, 1)
  t.match(JSON.parse(stdout).findings[0], { resource: 'Orders', file: 'standard input', line: 1 })
})

for (const [title, input, args, line] of [
  ['nothing', '', [], /: standard input:1:1: the file is empty$/m],
  ['a plan that is cut off', '{"format_version":"1.2","planned', [], /: standard input:1:\d+: not valid JSON: /],
  [
    'an empty state',
    '{"format_version":"1.0"}',
    [],
    /: There is no SQS event source mapping in standard input, so nothing was checked$/m,
  ],
  [
    'a parameter',
    JSON.stringify(terraformPlan()),
    ['--parameter', 'A=1'],
    /--parameter A: no template has a parameter of this name\. The parameters are: none$/m,
  ],
] as const) {
  test(`refused: ${title}`, async (t) => {
    const { code, stdout, stderr } = await inProcess(['doctor', '-', ...args], { input })
    t.strictSame([code, stdout], [2, ''])
    t.match(stderr, line)
    t.equal(stderr.trimEnd().split('\n').length, 1)
  })
}

test('a plan whose mappings are deleted has nothing to check', async (t) => {
  const plan = { format_version: '1.2', planned_values: { root_module: {} }, resource_changes: [] }
  const { code, stderr } = await inProcess(['doctor', templateFile(t, plan, 'plan.json')])
  t.equal(code, 2)
  t.match(stderr, /There is no SQS event source mapping in \S+plan\.json, so nothing was checked$/m)
})
