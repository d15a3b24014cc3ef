import { join } from 'node:path'
import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { counts, formatGithub, formatText } from '../../src/doctor/format.ts'
import { check, runDoctor } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { inProcess } from '../support/in-process.ts'
import { command } from '../support/runs.ts'
import { read, sam, templateFile } from '../support/templates.ts'

// tap sets FORCE_COLOR if its output is a terminal, and NO_COLOR can come from the shell. What these tests render must
// depend only on the stream.
for (const name of ['FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS']) delete process.env[name]

// A runtime that is supported until 2029.
const clean = sam({ function: { Runtime: 'provided.al2023' } })
const warned = sam({ function: { Runtime: 'provided.al2023' }, queue: { VisibilityTimeout: 100 } })
const wrong = sam({
  function: { InlineCode: 'batchItemFailures' },
  mapping: { FunctionResponseTypes: undefined },
})

for (const [title, template, flags, expected] of [
  ['no finding', clean, {}, 0],
  ['no finding, with --strict', clean, { strict: true }, 0],
  ['a warning', warned, {}, 0],
  ['a warning, with --strict', warned, { strict: true }, 1],
  ['an error', wrong, {}, 1],
  [
    'a setting that was not checked, with --strict',
    sam({ mapping: { BatchSize: { 'Fn::ImportValue': 'x' } } }),
    { strict: true },
    0,
  ],
] as const) {
  test(`exit code ${expected}: ${title}`, async (t) => {
    for (const format of ['text', 'json', 'github'] as const) {
      const { code, stderr } = await runDoctor(t, [templateFile(t, template)], { format, ...flags })
      t.strictSame([code, stderr], [expected, ''], format)
    }
  })
}

const NEVER_CHECKED = [
  'senders that the input does not show',
  'whether the handler exists',
  'whether a pipe reads the queue',
]

test('--format json: the findings, the number of mappings, and what is never checked', async (t) => {
  const { stdout } = await inProcess(['doctor', templateFile(t, wrong), '--format', 'json'])
  const { findings, ...rest } = JSON.parse(stdout)
  const inputs = rest.inputs.map(({ mappings }: { mappings: number }) => ({ mappings }))
  t.strictSame(
    { ...rest, inputs },
    { accepted: [], mappings: 1, inputs: [{ mappings: 1 }], notChecked: NEVER_CHECKED, defaultedParameters: [] },
  )
  t.strictSame(
    findings.map(({ file, line, ...finding }: Finding) => [typeof file, line, finding]),
    [
      [
        'string',
        JSON.stringify(wrong, undefined, 1)
          .split('\n')
          .findIndex((line) => line.includes('"Orders"')) + 1,
        {
          rule: 'report-batch-item-failures',
          severity: 'error',
          resource: 'Handler/Orders',
          message:
            'ReportBatchItemFailures is off, but the function can report failures: batchItemFailures in the code in the template. ' +
            'Lambda ignores the failures that the function reports, and deletes those messages.',
          fix: 'Set FunctionResponseTypes to [ReportBatchItemFailures].',
          set: '"FunctionResponseTypes": ["ReportBatchItemFailures"]',
          source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
        },
      ],
    ],
  )
})

test('in a pipe: one line for the finding, its fix, the new value, the link, and the counts', async (t) => {
  const file = templateFile(t, wrong)
  const { stdout } = await command(['doctor', file])
  t.strictSame(stdout.trimEnd().split('\n'), [
    `${file}:12 error report-batch-item-failures Handler/Orders  ReportBatchItemFailures is off, but the function can ` +
      'report failures: batchItemFailures in the code in the template. Lambda ignores the failures that the function ' +
      'reports, and deletes those messages.',
    '  Fix: Set FunctionResponseTypes to [ReportBatchItemFailures].',
    '    "FunctionResponseTypes": ["ReportBatchItemFailures"]',
    'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
    '1 mapping checked: 1 error, 0 warnings, 0 info',
    `Not checked: ${NEVER_CHECKED.join('; ')}.`,
  ])
})

test('the parameters whose defaults were used are named', async (t) => {
  const Parameters = {
    Stage: { Type: 'String', Default: 'dev' },
    Stored: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/stage' },
    Open: { Type: 'String' },
    Seconds: { Type: 'Number', Default: 185 },
  }
  const Conditions = { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } }
  const change = {
    function: { Runtime: 'provided.al2023' },
    queue: { VisibilityTimeout: { 'Fn::If': ['IsProd', 1, { Ref: 'Seconds' }] } },
  }
  const file = templateFile(t, { Parameters, Conditions, ...sam(change) })
  async function namesWith(...flags: string[]) {
    const { stdout } = await inProcess(['doctor', file, '--format', 'json', ...flags])
    return JSON.parse(stdout).defaultedParameters
  }
  t.strictSame(await namesWith(), ['Stage', 'Seconds'])
  t.strictSame(await namesWith('--parameter', 'Seconds=190'), ['Stage'])
  t.strictSame(await namesWith('--parameter', 'Stage=prod', '--parameter', 'Seconds=190'), [])
  const line = 'Defaults were used for parameters: Stage, Seconds (set others with --parameter NAME=VALUE).'
  for (const format of ['text', 'github']) {
    const { stdout } = await inProcess(['doctor', file, '--format', format])
    t.ok(stdout.split('\n').includes(line), format)
  }
})

/** A terminal with this many columns. */
function terminal(columns: number) {
  return Object.assign(new Writable(), { isTTY: true, columns, hasColors: () => true }) as unknown as NodeJS.WriteStream
}

test('on a terminal: lines break between words, and severities have a colour', async (t) => {
  const model = await read(t, wrong)
  const findings = check({ kind: 'template', file: 'template.yaml', syntax: 'yaml', model })
  const report = { findings, inputs: [{ name: 'template.yaml', mappings: 1 }], defaulted: [], notChecked: [] }
  for (const columns of [60, 80, 120]) {
    const text = formatText(report, terminal(columns))
    t.match(text, 'template.yaml:12 \u001b[31m\u001b[1merror\u001b[22m\u001b[39m report-batch-item-failures')
    const lines = stripVTControlCharacters(text).split('\n')
    const long = lines.filter((line) => line.length > columns)
    t.strictSame(
      long,
      columns > 75 ? [] : ['https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html'],
    )
    t.match(
      lines.slice(1).find((line) => !line.startsWith('    ')),
      /^ {2}Fix: /,
    )
  }
})

test('on a terminal of any width, no line ends or begins with a space too many', async (t) => {
  const findings = check({ kind: 'template', file: 'template.yaml', syntax: 'yaml', model: await read(t, wrong) })
  const report = { findings, inputs: [{ name: 'template.yaml', mappings: 1 }], defaulted: [], notChecked: [] }
  for (let columns = 60; columns <= 120; columns++) {
    const lines = stripVTControlCharacters(formatText(report, terminal(columns))).split('\n')
    t.strictSame(
      lines.filter((line) => /\s$|^ {5}\S/.test(line)),
      [],
      `${columns} columns`,
    )
  }
})

test('--format github: workflow commands, escaped', async (t) => {
  const finding: Finding = {
    rule: 'not-checked',
    severity: 'info',
    resource: 'a,b:c%',
    message: '100 %\r\nsure: yes, it is',
    fix: 'none',
    source: 'https://docs.aws.amazon.com/',
    help: 'docs/doctor-rules.md#not-checked',
    file: 'stacks/a,b.yaml',
    line: 7,
  }
  const { file, line, ...live } = finding
  t.equal(
    formatGithub({
      findings: [finding, { ...live, severity: 'warning' }, { ...live, severity: 'error' }],
      inputs: [{ name: 'template.yaml', mappings: 2 }],
      defaulted: [],
      notChecked: ['a', 'b'],
    }),
    '::notice file=stacks/a%2Cb.yaml,line=7,title=not-checked%3A a%2Cb%3Ac%25::' +
      '100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '::warning title=not-checked%3A a%2Cb%3Ac%25::100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '::error title=not-checked%3A a%2Cb%3Ac%25::100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '2 mappings checked: 1 error, 1 warning, 1 info\n' +
      'Not checked: a; b.',
  )
  t.equal(
    counts({ findings: [], inputs: [{ name: 'template.yaml', mappings: 1 }] }),
    '1 mapping checked: 0 errors, 0 warnings, 0 info',
  )
})

test('a clean run prints two lines', async (t) => {
  const { stdout } = await runDoctor(t, [templateFile(t, sam({ function: { InlineCode: 'throw 1' } }))])
  t.equal(
    stdout,
    '1 mapping checked: 0 errors, 0 warnings, 0 info\n' +
      'Not checked: senders that the input does not show; whether the handler exists; whether a pipe reads the queue.\n',
  )
})

test('--help of doctor shows its flags', async (t) => {
  const { stdout } = await inProcess(['doctor', '--help'])
  const flags = Array.from(stdout.matchAll(/^ {2}(?:-h, )?(--[\w-]+)/gm), ([, flag]) => flag)
  const own = ['--parameter', '--function', '--region', '--accept', '--accept-file', '--format', '--json', '--strict']
  t.strictSame(
    flags.filter((flag) => flag !== '--help'),
    own,
  )
})

test('the SDK is loaded neither for the help of local nor for a template', async (t) => {
  const tell = `import { registerHooks } from 'node:module'
registerHooks({ load: (url, context, next) => (process._rawDebug(url), next(url, context)) })`
  const NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import data:text/javascript,${encodeURIComponent(tell)}`
  for (const args of [
    ['local', '--help'],
    ['doctor', templateFile(t, clean)],
  ]) {
    const { stderr, code } = await command(args, { env: { NODE_OPTIONS } })
    t.equal(code, 0)
    t.ok(stderr.includes('/commander/'), 'what is loaded is seen')
    t.notOk(/@aws-sdk|fauxqs/.test(stderr))
  }
})

test('--accept, --accept-file and --strict', async (t) => {
  const args = ['doctor', templateFile(t, wrong), '--json', '--strict']
  const text = 'report-batch-item-failures@Handler=it only throws'
  for (const flags of [
    ['--accept', text],
    ['--accept-file', join(filesIn(t, { accepted: text }), 'accepted')],
  ]) {
    const { code, stdout } = await inProcess([...args, ...flags])
    const { findings, accepted } = JSON.parse(stdout)
    t.strictSame([code, findings], [0, []])
    t.match(accepted, [{ rule: 'report-batch-item-failures', accepted: 'it only throws' }])
  }
  const { code, stdout, stderr } = await inProcess(['doctor', templateFile(t, clean), '--accept', 'agreed'])
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^bounded-sqs-batch: --accept agreed: write RULE@RESOURCE=REASON/)
})
