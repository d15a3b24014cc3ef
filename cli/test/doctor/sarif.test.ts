import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { test } from 'tap'
import { RULES } from '../../src/doctor/check.ts'
import { command } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { terraformState } from '../support/terraform.ts'

// The schema that OASIS publishes for SARIF 2.1.0, from the npm package @microsoft/sarif-multitool-linux 5.7.0.
const schema = JSON.parse(readFileSync(new URL('fixtures/sarif-2.1.0.schema.json', import.meta.url), 'utf8'))
const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)
const validate = ajv.compile(schema)

const OFF = { mapping: { FunctionResponseTypes: undefined }, queue: { VisibilityTimeout: 60 } }

for (const [title, template, flags] of [
  ['a template', sam(OFF), []],
  ['a template with an accepted finding', sam(OFF), ['--accept', 'visibility-headroom@Queue=agreed']],
  ['a template without findings', sam({ function: { Runtime: 'provided.al2023' } }), []],
  ['a state of Terraform', terraformState(OFF), []],
  ['a file that cannot be read', 'Resources: [', []],
] as const) {
  test(`--format sarif is valid against the published schema: ${title}`, async (t) => {
    const { stdout } = await command(['doctor', templateFile(t, template), '--format', 'sarif', ...flags])
    t.ok(validate(JSON.parse(stdout)), ajv.errorsText(validate.errors))
  })
}

test('--format sarif: the results, the rules with their links, and the accepted findings', async (t) => {
  const file = templateFile(t, sam(OFF))
  const args = ['doctor', file, '--format', 'sarif', '--accept', 'visibility-headroom@Queue=agreed']
  const { code, stdout } = await command(args)
  t.equal(code, 1)
  const [run] = JSON.parse(stdout).runs
  const { rules } = run.tool.driver
  t.ok(RULES.every(({ id }) => rules.some((rule: { id: string }) => rule.id === id)))
  for (const { id, help, helpUri } of rules) {
    t.match(help.text, `docs/doctor-rules.md#${id}`)
    t.ok(helpUri === undefined || URL.canParse(helpUri))
  }
  t.match(run.results, [
    { ruleId: 'report-batch-item-failures', level: 'error', suppressions: undefined },
    { ruleId: 'visibility-headroom', level: 'warning', suppressions: [{ kind: 'external', justification: 'agreed' }] },
  ])
  for (const { ruleId, ruleIndex, locations } of run.results) {
    t.equal(rules[ruleIndex].id, ruleId)
    t.match(locations[0].physicalLocation, {
      artifactLocation: { uri: /^file:.*template\.yaml$/ },
      region: { startLine: Number },
    })
  }
})

test('--rules lists all rules as JSON, each with the link to its heading', async (t) => {
  const { code, stdout } = await command(['doctor', '--rules'])
  t.equal(code, 0)
  const { rules } = JSON.parse(stdout)
  t.strictSame(
    rules.map(({ id }: { id: string }) => id),
    [...RULES.map(({ id }) => id), 'incomplete-template', 'acceptance', 'not-checked'],
  )
  t.match(rules[0], {
    id: String,
    severity: 'error',
    why: String,
    source: /^https:/,
    help: `docs/doctor-rules.md#${rules[0].id}`,
  })
})
