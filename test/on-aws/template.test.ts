import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { alarmsOf, samTemplate, violations } from '../support/templates.ts'
import { codeFiles, zip } from './code.ts'
import { setups, template } from './template.ts'

const bin = fileURLToPath(new URL('../../cli/src/bin.ts', import.meta.url))
const text = JSON.stringify(template())

t.test("AWS's validator finds nothing in the template", async (t) => {
  const file = `${temporaryFolder(t)}/template.json`
  writeFileSync(file, text)
  t.strictSame(violations(file), [])
})

t.test('doctor finds nothing in the template that is not accepted with a reason', async (t) => {
  const file = `${temporaryFolder(t)}/template.json`
  writeFileSync(file, text)
  const args = [bin, 'doctor', '--strict', '--format', 'json', file]
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error)
  const { findings }: { findings: { rule: string; message: string; accepted?: string }[] } = JSON.parse(stdout)
  t.strictSame(
    findings.filter(({ accepted }) => !accepted).map(({ rule, message }) => `${rule}: ${message}`),
    [],
  )
})

t.test('the template fits into a call of CloudFormation', async (t) => {
  t.ok(text.length < 51_200, `${text.length} bytes`)
})

t.test(
  'only the names of the stack and of its resources are given by CloudFormation, so runs do not collide',
  async (t) => {
    t.notMatch(text, /"(FunctionName|QueueName|RoleName|LogGroupName|AlarmName)":"/)
  },
)

t.test('the code has the function of each setup, and can be uploaded', async (t) => {
  const files = await codeFiles()
  const folder = temporaryFolder(t, files)
  for (const [name, { handler }] of setups) {
    const [file, exportName = ''] = handler.split('.')
    const exported = await import(pathToFileURL(`${folder}/${file}.mjs`).href)
    t.type(exported[exportName], 'function', name)
  }
  const { length } = zip(files)
  t.ok(length > 10_000 && length < 1_000_000, `${length} bytes`)
})

t.test('the alarm has the expression of the alarm in examples/deploy', async (t) => {
  const expressionsIn = ({ Metrics = [] }: { Metrics?: { Expression?: string }[] }) =>
    Metrics.flatMap(({ Expression }) => Expression ?? [])
  const ofExample = expressionsIn(alarmsOf(samTemplate()).DeletedFailuresAlarm ?? {})
  t.equal(ofExample.length, 1)
  const alarms = Object.values(alarmsOf(template() as never))
  t.ok(alarms.length > 0)
  for (const alarm of alarms) t.strictSame(expressionsIn(alarm), ofExample)
})
