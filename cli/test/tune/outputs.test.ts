import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { folder } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { exactRun, sampleFile, tuned } from '../support/tune.ts'

/** The part of an earlier output by which `tune` recognizes it. */
const OLD_REPORT = '<meta name="generator" content="bounded-sqs-batch tune">'
const OLD_PAYLOAD = '{"Records":[{"attributes":{"SenderId":"tune"}}]}'

test('--payload writes an event with messages of the sample', async (t) => {
  const file = join(folder(t), 'payload.json')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--payload', file, '--json']
  t.equal((await exactRun(['tune', tuned, ...sampleFile(t), ...flags])).code, 0)
  const { Records } = JSON.parse(readFileSync(file, 'utf8'))
  t.equal(Records.length, 30)
  t.match(Records[1], { body: '{"number":2}', eventSource: 'aws:sqs' })
})

test('--report writes a page with the same result as --json', async (t) => {
  const file = join(folder(t), 'tune.html')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--report', file, '--json']
  const { code, stdout, stderr } = await exactRun(['tune', tuned, ...sampleFile(t), ...flags])
  t.equal(code, 0, stderr)
  const [, inPage] =
    /<script type="application\/json" id="result">(.*?)<\/script>/s.exec(readFileSync(file, 'utf8')) ?? []
  t.strictSame(JSON.parse(inPage as string), JSON.parse(stdout))
})

test('if the run fails, --report and --payload neither change files nor create new ones', async (t) => {
  const at = folder(t)
  const names = ['old.html', 'old.json', 'new.html', 'new.json', 'link.html']
  const [oldReport, oldPayload, newReport, newPayload, link] = names.map((name) => join(at, name)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  writeFileSync(oldReport, OLD_REPORT)
  writeFileSync(oldPayload, OLD_PAYLOAD)
  symlinkSync(join(at, 'target.html'), link)
  for (const [report, payload] of [
    [oldReport, oldPayload],
    [newReport, newPayload],
    [link, newPayload],
  ] as const) {
    const outputs = ['--report', report, '--payload', payload]
    const { code } = await exactRun(['tune', `${tuned}#plain`, ...sampleFile(t), '--batch-size', '10', ...outputs])
    t.equal(code, 2)
  }
  t.strictSame(readdirSync(at).sort(), ['link.html', 'old.html', 'old.json'])
  t.equal(readFileSync(oldReport, 'utf8'), OLD_REPORT)
  t.equal(readFileSync(oldPayload, 'utf8'), OLD_PAYLOAD)
})

test('an output that is also an input or the other output is refused, also through a link', async (t) => {
  const at = folder(t)
  const handler = join(at, 'handler.mjs')
  const samples = join(at, 'samples.jsonl')
  const template = templateFile(t, sam())
  const env = join(at, 'variables.env')
  const symbolic = join(at, 'symbolic.html')
  const hard = join(at, 'hard.html')
  const report = join(at, 'report.html')
  const contents = { [handler]: 'export {}', [samples]: '{"number":1}', [env]: 'A=1' }
  for (const [file, content] of Object.entries(contents)) writeFileSync(file, content)
  const templateText = readFileSync(template, 'utf8')
  symlinkSync(samples, symbolic)
  linkSync(handler, hard)
  const inputs = ['--messages-file', samples, '--template', template, '--env-file', env]
  async function refuse(outputs: string[], message: string) {
    const { code, stderr } = await exactRun(['tune', handler, ...inputs, ...outputs])
    t.match(stderr, `bounded-sqs-batch: ${message}: both are the same file. Name another file\n`)
    t.equal(code, 2)
  }
  await refuse(['--payload', samples], `--payload ${samples} would overwrite --messages-file ${samples}`)
  await refuse(['--report', symbolic], `--report ${symbolic} would overwrite --messages-file ${samples}`)
  await refuse(['--report', hard], `--report ${hard} would overwrite the handler ${handler}`)
  await refuse(['--report', template], `--report ${template} would overwrite --template ${template}`)
  await refuse(['--payload', env], `--payload ${env} would overwrite --env-file ${env}`)
  await refuse(['--payload', report, '--report', report], `--report ${report} would overwrite --payload ${report}`)
  for (const [file, content] of Object.entries(contents)) t.equal(readFileSync(file, 'utf8'), content)
  t.equal(readFileSync(template, 'utf8'), templateText)
  t.notOk(existsSync(report))
})

test('an output overwrites neither a module that the handler imports, nor a file that tune has not written', async (t) => {
  const at = folder(t)
  const contents = {
    'handler.mjs': "import './lib/used.mjs'\nimport sample from './sample.json' with { type: 'json' }",
    'lib/used.mjs': "export { x } from '../deep.mjs'",
    'deep.mjs': `export const x = '${OLD_REPORT}'`,
    'sample.json': OLD_PAYLOAD,
    'event.json': '{"Records":[{"attributes":{"SenderId":"AIDAEXAMPLE"}}]}',
    'empty.json': '',
    'page.html': '<p>Another page.</p>',
  }
  mkdirSync(join(at, 'lib'))
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(at, name), content)
  async function refuse(flag: string, name: string, message: (file: string) => string) {
    const file = join(at, name)
    const { code, stderr } = await exactRun(['tune', join(at, 'handler.mjs'), ...sampleFile(t), flag, file])
    t.equal(stderr, `bounded-sqs-batch: ${flag} ${file} would overwrite ${message(file)}\n`)
    t.equal(code, 2)
  }
  const imported = (file: string) => `${file}, which the handler imports: both are the same file. Name another file`
  await refuse('--report', 'deep.mjs', imported)
  await refuse('--report', 'lib/used.mjs', imported)
  await refuse('--payload', 'sample.json', imported)
  const foreign = (what: string) => () =>
    `a file that tune has not written. ${what}: name a new file, or delete this one`
  const payload = foreign('--payload is an output of tune, and not an input')
  await refuse('--payload', 'event.json', payload)
  await refuse('--payload', 'empty.json', payload)
  await refuse('--payload', 'page.html', payload)
  await refuse('--report', 'page.html', foreign('--report is an HTML page'))
  for (const [name, content] of Object.entries(contents)) t.equal(readFileSync(join(at, name), 'utf8'), content)
})

test('a later run overwrites the payload and the report of an earlier one', async (t) => {
  const [payload, report] = ['payload.json', 'report.html'].map((name) => join(folder(t), name)) as [string, string]
  const flags = ['--concurrency', '10..10', '--memory', '1769', '--payload', payload, '--report', report, '--json']
  for (const size of [30, 40]) {
    const { code, stderr } = await exactRun(['tune', tuned, ...sampleFile(t), ...flags, '--batch-size', `${size}`])
    t.equal(code, 0, stderr)
    t.equal(JSON.parse(readFileSync(payload, 'utf8')).Records.length, size)
    t.match(readFileSync(report, 'utf8'), `batches of ${size} records`)
  }
})
