import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { type Test, test } from 'tap'
import { type Finding, RULES } from '../../src/doctor/check.ts'
import { MANIFEST } from '../../src/doctor/help.ts'
import { formatSarif } from '../../src/doctor/sarif.ts'
import { runDoctor } from '../support/doctor.ts'
import { command } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { terraformState } from '../support/terraform.ts'

// The schema that OASIS publishes for SARIF 2.1.0, from the npm package @microsoft/sarif-multitool-linux 5.7.0.
const schema = JSON.parse(readFileSync(new URL('fixtures/sarif-2.1.0.schema.json', import.meta.url), 'utf8'))
const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)
const validate = ajv.compile(schema)

async function run(t: Test, template: unknown, accept: string[] = []) {
  const { code, stdout } = await runDoctor(t, [templateFile(t, template)], { format: 'sarif', accept })
  return { code, report: JSON.parse(stdout) }
}

const OFF = { mapping: { FunctionResponseTypes: undefined }, queue: { VisibilityTimeout: 60 } }

for (const [title, template, accept] of [
  ['a template', sam(OFF), []],
  ['a template with an accepted finding', sam(OFF), ['visibility-headroom@Queue=agreed']],
  ['a template without findings', sam({ function: { Runtime: 'provided.al2023' } }), []],
  ['a state of Terraform', terraformState(OFF), []],
  ['a file that cannot be read', 'Resources: [', []],
] satisfies [string, unknown, string[]][]) {
  test(`--format sarif is valid against the published schema: ${title}`, async (t) => {
    const { report } = await run(t, template, accept)
    t.ok(validate(report), ajv.errorsText(validate.errors))
  })
}

test('--format sarif: the results, the rules with their links, and the accepted findings', async (t) => {
  const { code, report } = await run(t, sam(OFF), ['visibility-headroom@Queue=agreed'])
  t.equal(code, 1)
  const [{ tool, results }] = report.runs
  const { rules } = tool.driver
  t.ok(RULES.every(({ id }) => rules.some((rule: { id: string }) => rule.id === id)))
  for (const { id, help, helpUri } of rules) {
    t.match(help.text, `docs/doctor-rules.md#${id}`)
    t.ok(helpUri === undefined || URL.canParse(helpUri))
  }
  t.match(results, [
    { ruleId: 'report-batch-item-failures', level: 'error', suppressions: undefined },
    { ruleId: 'visibility-headroom', level: 'warning', suppressions: [{ kind: 'external', justification: 'agreed' }] },
  ])
  for (const { ruleId, ruleIndex, locations } of results) {
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

const FINDING: Finding = {
  rule: 'batch-size',
  severity: 'error',
  resource: 'Orders',
  message: 'It is too high.',
  fix: 'Lower it.',
  source: 'https://docs.aws.amazon.com/',
  help: 'docs/doctor-rules.md#batch-size',
}
const EDIT = { startLine: 5, startColumn: 7, endLine: 5, endColumn: 20, text: 'BatchSize: 10' }
const PASTE = { language: 'yaml', where: 'Instead of line 5', text: 'BatchSize: 10', edit: EDIT } as const

type Failed = { name: string; error: string }
function runOf(findings: readonly Finding[], failed: readonly Failed[] = []) {
  const inputs = [{ name: 'a.yaml', mappings: 1 }, ...failed.map((one) => ({ ...one, mappings: 0 }))]
  const { $schema, version, runs, ...rest } = JSON.parse(formatSarif({ findings, inputs, defaulted: [], skipped: [] }))
  return { $schema, version, rest, runs, run: runs[0] }
}
function resultOf(more: Partial<Finding>) {
  const [{ ruleIndex, ...result }] = runOf([{ ...FINDING, ...more }]).run.results
  return result
}

test('SARIF: the version and the schema', (t) => {
  const { $schema, version, rest, runs } = runOf([])
  t.strictSame(
    [$schema, version, rest, runs.length],
    ['https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json', '2.1.0', {}, 1],
  )
  t.end()
})

const LOGICAL = { logicalLocations: [{ fullyQualifiedName: 'Orders', kind: 'resource' }] }
const RESULT = {
  ruleId: 'batch-size',
  level: 'error',
  message: { text: 'Orders: It is too high. Lower it.' },
  locations: [LOGICAL],
  partialFingerprints: { 'resource/v1': 'batch-size Orders' },
}
const AT_LINE_5 = [{ physicalLocation: { artifactLocation: { uri: 'a.yaml' }, region: { startLine: 5 } }, ...LOGICAL }]

for (const [title, more, expected] of [
  ['without a file', {}, RESULT],
  ['a warning', { severity: 'warning' }, { ...RESULT, level: 'warning' }],
  ['an info', { severity: 'info' }, { ...RESULT, level: 'note' }],
  ['with a file', { file: 'a.yaml', line: 5 }, { ...RESULT, locations: AT_LINE_5 }],
  [
    'that is accepted',
    { accepted: 'agreed' },
    { ...RESULT, suppressions: [{ kind: 'external', justification: 'agreed' }] },
  ],
  [
    'with an edit',
    { file: 'a.yaml', line: 5, paste: [PASTE] },
    {
      ...RESULT,
      locations: AT_LINE_5,
      fixes: [
        {
          description: { text: 'Lower it.' },
          artifactChanges: [
            {
              artifactLocation: { uri: 'a.yaml' },
              replacements: [
                {
                  deletedRegion: { startLine: 5, startColumn: 7, endLine: 5, endColumn: 20 },
                  insertedContent: { text: 'BatchSize: 10' },
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  [
    'with text to paste that is not an edit',
    { file: 'a.yaml', line: 5, paste: [{ language: 'cdk', where: 'x', text: 'y' }] },
    { ...RESULT, locations: AT_LINE_5 },
  ],
  ['with an edit, but without a file', { paste: [PASTE] }, RESULT],
] as const) {
  test(`SARIF: a finding ${title}`, (t) => {
    t.strictSame(resultOf(more as Partial<Finding>), expected)
    t.end()
  })
}

test('SARIF: a file is a relative URI, or the URI of an absolute path', (t) => {
  for (const [file, uri] of [
    ['infra/a b.yaml', 'infra/a%20b.yaml'],
    ['infra\\a.yaml', 'infra/a.yaml'],
    ['infra/c:a.yaml', 'infra/c%3Aa.yaml'],
    ['/infra/a b.yaml', 'file:///infra/a%20b.yaml'],
    ['C:\\a.yaml', pathToFileURL('C:\\a.yaml').href],
    ['\\\\server\\a.yaml', pathToFileURL('\\\\server\\a.yaml').href],
  ]) {
    t.equal(resultOf({ file: file as string, line: 1 }).locations[0].physicalLocation.artifactLocation.uri, uri)
  }
  t.end()
})

test('SARIF: each finding has the index of its rule', (t) => {
  const { run } = runOf([FINDING, { ...FINDING, rule: 'not-checked' }])
  const { name, version, rules } = run.tool.driver
  t.strictSame([name, version], ['bounded-sqs-batch doctor', MANIFEST.version])
  for (const { ruleId, ruleIndex } of run.results) t.equal(rules[ruleIndex].id, ruleId)
  t.end()
})

function ruleOf(id: string) {
  return runOf([]).run.tool.driver.rules.find((rule: { id: string }) => rule.id === id)
}

test('SARIF: a rule with its texts, its level and its links', (t) => {
  const source = 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html'
  const batchSize = (page: string) => ({
    id: 'batch-size',
    shortDescription: { text: 'batch size' },
    fullDescription: { text: 'Lambda rejects the mapping: a batch has at most 10,000 records.' },
    help: {
      text: `${page}#batch-size\n${source}`,
      markdown: `[batch-size](${page}#batch-size), [AWS](${source})`,
    },
    defaultConfiguration: { level: 'error' },
  })
  t.strictSame(ruleOf('batch-size'), { ...batchSize('docs/doctor-rules.md'), helpUri: source })
  t.equal(ruleOf('fifo-parallelism').defaultConfiguration.level, 'note')
  t.equal(ruleOf('acceptance').helpUri, undefined, 'neither link of this rule is an address')
  t.teardown(() => delete MANIFEST.repository)
  MANIFEST.repository = { url: 'git+https://example.com/orders.git' }
  const page = `https://example.com/orders/blob/bounded-sqs-batch@${MANIFEST.version}/docs/doctor-rules.md`
  t.strictSame(ruleOf('batch-size'), { ...batchSize(page), helpUri: `${page}#batch-size` })
  t.end()
})

test('SARIF: inputs that could not be read', (t) => {
  t.strictSame(runOf([]).run.invocations, [{ executionSuccessful: true, toolExecutionNotifications: [] }])
  t.strictSame(runOf([], [{ name: 'b c.yaml', error: 'it is not YAML' }]).run.invocations, [
    {
      executionSuccessful: false,
      toolExecutionNotifications: [
        {
          level: 'error',
          message: { text: 'it is not YAML' },
          locations: [{ physicalLocation: { artifactLocation: { uri: 'b%20c.yaml' } } }],
        },
      ],
    },
  ])
  t.end()
})
