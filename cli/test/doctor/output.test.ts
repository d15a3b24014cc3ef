import { join } from 'node:path'
import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'tap'
import { check, type Finding } from '../../src/doctor/check.ts'
import { counts, formatGithub, formatTable } from '../../src/doctor/format.ts'
import { filesIn } from '../support/files.ts'
import { command } from '../support/runs.ts'
import { OPTIONS, read, sam, templateFile } from '../support/templates.ts'

// tap sets FORCE_COLOR if its output is a terminal, and NO_COLOR can come from the shell. What these tests render must
// depend only on the stream.
for (const name of ['FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS']) delete process.env[name]

// A runtime that is supported until 2029.
const clean = sam({ function: { Runtime: 'provided.al2023' } })
const warned = sam({ function: { Runtime: 'provided.al2023' }, queue: { VisibilityTimeout: 100 } })
const wrong = sam({ function: { Runtime: 'provided.al2023' }, mapping: { FunctionResponseTypes: undefined } })

for (const [title, template, flags, expected] of [
  ['no finding', clean, [], 0],
  ['no finding, with --strict', clean, ['--strict'], 0],
  ['a warning', warned, [], 0],
  ['a warning, with --strict', warned, ['--strict'], 1],
  ['an error', wrong, [], 1],
  ['a setting that was not checked, with --strict', sam({ function: { Runtime: 'cobol1.x' } }), ['--strict'], 0],
] as const) {
  test(`exit code ${expected}: ${title}`, async (t) => {
    for (const format of ['table', 'json', 'github']) {
      const { code, stderr } = await command(['doctor', templateFile(t, template), '--format', format, ...flags])
      t.strictSame([code, stderr], [expected, ''], format)
    }
  })
}

const SKIPPED = ['payload size check (pass --body-bytes)', 'timeout check (pass --record-ms)']

test('--format json: the findings, the number of mappings, and the skipped checks', async (t) => {
  const { stdout } = await command(['doctor', templateFile(t, wrong), '--format', 'json'])
  const { findings, ...rest } = JSON.parse(stdout)
  const inputs = rest.inputs.map(({ mappings }: { mappings: number }) => ({ mappings }))
  t.strictSame(
    { ...rest, inputs },
    { accepted: [], mappings: 1, inputs: [{ mappings: 1 }], skipped: SKIPPED, defaultedParameters: [] },
  )
  t.strictSame(
    findings.map(({ file, line, paste, ...finding }: Finding) => [typeof file, line, finding]),
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
            'ReportBatchItemFailures is off, and the code was not found: the template does not say which local file it is. ' +
            'If the function reports failures, Lambda ignores them, and deletes those messages.',
          fix: 'Set FunctionResponseTypes to [ReportBatchItemFailures].',
          source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
          help: 'docs/doctor-rules.md#report-batch-item-failures',
        },
      ],
    ],
  )
  async function skippedWith(...flags: string[]) {
    const { stdout } = await command(['doctor', templateFile(t, clean), '--format', 'json', ...flags])
    const { skipped, inputs: _inputs, ...others } = JSON.parse(stdout)
    t.strictSame(others, { findings: [], accepted: [], mappings: 1, defaultedParameters: [] })
    return skipped
  }
  t.strictSame(await skippedWith('--body-bytes', '100'), SKIPPED.slice(1))
  t.strictSame(await skippedWith('--body-bytes', '100', '--record-ms', '10'), [])
})

test('in a pipe: a plain table, the sources, a line of counts, and the skipped checks', async (t) => {
  const { stdout } = await command(['doctor', templateFile(t, wrong)])
  t.notMatch(stdout, '\u001b', 'no escape sequences')
  const [location, ...lines] = stdout.trimEnd().split('\n') // the folder of the test has a long name
  t.match(location, /template\.yaml:\d+$/)
  t.ok(lines.every((line) => line.length <= 120))
  t.match(lines[1], /^│ error +│ ReportBatchItemFailures is off, and the code was not found/)
  t.match(lines[2], /^│ report-batch-item-failures +│ /)
  t.match(lines[3], /^│ Handler\/Orders +│ /)
  t.strictSame(lines.slice(-4), [
    '  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
    '1 mapping checked: 1 error, 0 warnings, 0 info',
    'Skipped: payload size check (pass --body-bytes).',
    'Skipped: timeout check (pass --record-ms).',
  ])
  const asked = ['--body-bytes', '100', '--record-ms', '10']
  t.equal(
    (await command(['doctor', templateFile(t, clean), ...asked])).stdout,
    '1 mapping checked: 0 errors, 0 warnings, 0 info\n',
  )
})

test('the parameters whose defaults were used are named', async (t) => {
  const Parameters = {
    Stage: { Type: 'String', Default: 'dev' },
    Unused: { Type: 'String', Default: 'dev' },
    Seconds: { Type: 'Number', Default: 185 },
  }
  const Conditions = { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } }
  const change = {
    function: { Runtime: 'provided.al2023' },
    queue: { VisibilityTimeout: { 'Fn::If': ['IsProd', 1, { Ref: 'Seconds' }] } },
  }
  const file = templateFile(t, { Parameters, Conditions, ...sam(change) })
  async function namesWith(...flags: string[]) {
    const { stdout } = await command(['doctor', file, '--format', 'json', ...flags])
    return JSON.parse(stdout).defaultedParameters
  }
  t.strictSame(await namesWith(), ['Stage', 'Seconds'])
  t.strictSame(await namesWith('--parameter', 'Seconds=190'), ['Stage'])
  t.strictSame(await namesWith('--parameter', 'Stage=prod', '--parameter', 'Seconds=190'), [])
  const line = 'Defaults were used for parameters: Stage, Seconds (set others with --parameter NAME=VALUE).'
  for (const format of ['table', 'github']) {
    const { stdout } = await command(['doctor', file, '--format', format])
    t.ok(stdout.split('\n').includes(line), format)
  }
})

/** A terminal with this many columns. */
function terminal(columns: number) {
  return Object.assign(new Writable(), { isTTY: true, columns, hasColors: () => true }) as unknown as NodeJS.WriteStream
}

test('on a terminal: a table as wide as the terminal, no word split, severities in colour', async (t) => {
  const model = await read(t, wrong)
  const findings = check({ ...model, file: 'template.yaml' }, OPTIONS)
  const report = { findings, inputs: [{ name: 'template.yaml', mappings: 1 }], skipped: [], defaulted: [] }
  for (const columns of [60, 80, 120]) {
    const table = formatTable(report, terminal(columns))
    const lines = stripVTControlCharacters(table).split('\n')
    const rows = lines.filter((line) => /^[┌│└]/.test(line))
    t.ok(
      rows.every((line) => line.length === columns),
      rows.join('\n'),
    )
    t.notMatch(rows.join(''), '…')
    const words = rows.map((line) => line.split('│')[2]?.trim() ?? '').join(' ')
    t.match(words.replaceAll(/ +/g, ' '), `${findings[0]?.message} Fix: ${findings[0]?.fix}`)
    t.match(table, '\u001b[31m\u001b[1merror\u001b[22m\u001b[39m')
  }
  t.match(formatTable(report, terminal(20)), /^┌─{24}┬─{33}┐$/m, 'not narrower than 60')
})

test('the name of a resource is never split: if it is too long for its column, it is printed above the table', async (t) => {
  const [finding] = check({ ...(await read(t, wrong)), file: 'template.yaml' }, OPTIONS)
  for (const columns of [60, 80, 120]) {
    for (const length of [10, 22, 23, 30, 31, 32, 33, 200]) {
      const resource = 'x'.repeat(length)
      const long = { ...(finding as Finding), resource }
      const lines = formatTable(
        { findings: [long, long], inputs: [{ name: 'template.yaml', mappings: 1 }], skipped: [], defaulted: [] },
        terminal(columns),
      ).split('\n')
      const whole = lines.filter((line) => new RegExp(`(^|│ )${resource}( |$)`).test(line))
      t.equal(whole.length, 2, `${length} characters on ${columns} columns`)
    }
  }
})

test('file:line is never split: if it is too long for its column, it is printed above the table', async (t) => {
  const findings = check(await read(t, wrong), OPTIONS)
  for (const columns of [60, 80, 120]) {
    for (const length of [10, 30, 32, 33, 78, 79, 117, 118, 300]) {
      const file = 'x'.repeat(length - ':12'.length)
      const long = findings.map((finding) => ({ ...finding, file, line: 12 }))
      const lines = formatTable(
        { findings: [...long, ...long], inputs: [{ name: 'template.yaml', mappings: 1 }], skipped: [], defaulted: [] },
        terminal(columns),
      ).split('\n')
      const whole = lines.filter((line) => line.includes(`${file}:12`))
      t.equal(whole.length, 2, `${length} characters on ${columns} columns`)
      const rows = lines.filter((line) => /^[┌├│└]/.test(line)).map(stripVTControlCharacters)
      t.ok(rows.length > 4 && rows.every((line) => line.length === columns))
    }
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
      skipped: ['timeout check (pass --record-ms)'],
      defaulted: [],
    }),
    '::notice file=stacks/a%2Cb.yaml,line=7,title=not-checked%3A a%2Cb%3Ac%25::' +
      '100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '::warning title=not-checked%3A a%2Cb%3Ac%25::100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '::error title=not-checked%3A a%2Cb%3Ac%25::100 %25%0D%0Asure: yes, it is%0Anone%0Ahttps://docs.aws.amazon.com/%0Adocs/doctor-rules.md#not-checked\n' +
      '2 mappings checked: 1 error, 1 warning, 1 info\n' +
      'Skipped: timeout check (pass --record-ms).',
  )
  t.equal(
    counts({ findings: [], inputs: [{ name: 'template.yaml', mappings: 1 }] }),
    '1 mapping checked: 0 errors, 0 warnings, 0 info',
  )
})

test('--help of doctor shows flags', async (t) => {
  const { stdout } = await command(['doctor', '--help'])
  for (const flag of ['--parameter', '--function', '--region', '--endpoint-url', '--body-bytes', '--record-ms']) {
    t.match(stdout, flag)
  }
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
    const { code, stdout } = await command([...args, ...flags])
    const { findings, accepted } = JSON.parse(stdout)
    t.strictSame([code, findings], [0, []])
    t.match(accepted, [{ rule: 'report-batch-item-failures', accepted: 'it only throws' }])
  }
  const { code, stdout, stderr } = await command(['doctor', templateFile(t, clean), '--accept', 'agreed'])
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^bounded-sqs-batch: --accept agreed: write RULE@RESOURCE=REASON/)
})
