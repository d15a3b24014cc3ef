import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'
import { command, environment, folder } from '../support/runs.ts'

const APP = join(import.meta.dirname, 'app.ts')
const CDK = join(dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')), 'bin/cdk')

/** Runs a case of app.ts: by a command of the CDK, or by Node as a test of an application does. */
async function run(t: Test, name: string, program: 'synth' | 'ls' | 'node' = 'synth', ...options: string[]) {
  const out = join(folder(t), 'cdk.out')
  const cdk = [
    CDK,
    program,
    '--app',
    `${process.execPath} ${APP}`,
    '--output',
    out,
    '--no-notices',
    '--quiet',
    ...options,
  ]
  const env = environment({
    CASE: name,
    HOME: folder(t),
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_OUTDIR: program === 'node' ? out : undefined,
    // The CDK's own checks of the templates are slow.
    CDK_VALIDATION: 'false',
  })
  const args = program === 'node' ? [APP] : cdk
  const file = join(out, 'validation-report.json')
  return promisify(execFile)(process.execPath, args, { env, cwd: folder(t) }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr, out, file }),
    ({ code, stdout, stderr }) => ({ code, output: stdout + stderr, out, file }),
  )
}

function violationsIn(file: string) {
  const { pluginReports } = JSON.parse(readFileSync(file, 'utf8'))
  // biome-ignore lint/suspicious/noExplicitAny: the CDK wrote it
  return pluginReports.flatMap(({ violations }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: the CDK wrote it
    violations.map(({ ruleName, severity, violatingConstructs: [construct] }: any) => {
      return [severity, ruleName, construct.constructPath].join(' ')
    }),
  )
}

const FOUND = [
  'error report-batch-item-failures Shop/Handler/SqsEventSource:ShopQueue2BB62074/Resource',
  'error visibility-below-timeout Shop/Queue/Resource',
  'warning max-receive-count Shop/Queue/Resource',
]

for (const program of ['synth', 'node'] as const) {
  test(`${program}: findings fail the synthesis, with rule, construct path and fix`, async (t) => {
    const { code, output, file } = await run(t, 'with defects', program)
    t.equal(code, 1)
    t.strictSame(violationsIn(file), FOUND)
    t.match(output, 'ReportBatchItemFailures is off, but the function can report failures')
    t.match(output, 'Shop/Handler/SqsEventSource:ShopQueue2BB62074/Resource')
    t.match(output, 'Suggested fix: Set reportBatchItemFailures to true.')
    t.match(output, /bounded-sqs-batch::report-batch-item-failures/)
  })

  for (const name of ['without defects', 'accepted in metadata']) {
    test(`${program}: a stack ${name} passes`, async (t) => {
      const { code, output, file } = await run(t, name, program)
      t.equal(code, 0, output)
      t.notMatch(output, 'bounded-sqs-batch')
      t.notOk(existsSync(file) && violationsIn(file).length > 0)
    })
  }
}

test('doctor reports the same findings for cdk.out', async (t) => {
  const { out } = await run(t, 'with defects')
  const { code, stdout } = await command(['doctor', '--json', out])
  t.equal(code, 1)
  const found = JSON.parse(stdout).findings.map(({ severity, rule }: Record<string, string>) => `${severity} ${rule}`)
  t.strictSame(
    found,
    FOUND.map((line) => line.split(' ').slice(0, 2).join(' ')),
  )
})

test('a warning fails with the option --strict of the CDK only', async (t) => {
  t.equal((await run(t, 'with a warning')).code, 0)
  t.equal((await run(t, 'with a warning', 'synth', '--strict')).code, 1)
})

test('an error in a stage fails the command, although the CDK shows no findings of stages', async (t) => {
  const { code, output } = await run(t, 'with defects in a stage')
  t.equal(code, 1)
  t.match(output, 'ERROR Findings that fail the synthesis are in stages: Prod/Shop.')
  t.match(output, "Suggested fix: To see them, run cdk synth '**'.")
  t.notMatch(output, 'Prod/Shop/Queue/Resource')
})

test('a command that deploys nothing does not fail', async (t) => {
  const { code, output } = await run(t, 'with defects', 'ls')
  t.equal(code, 0, output)
  t.match(output, 'Shop')
})
