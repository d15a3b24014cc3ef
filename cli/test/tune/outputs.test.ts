import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { command, folder } from '../support/runs.ts'
import { sampleFile, tuned } from '../support/tune.ts'

// None of these tests needs exact figures: `tune` writes its outputs also if it recommends nothing.

/** The part of an earlier output by which `tune` recognizes it. */
const OLD_REPORT = '<meta name="generator" content="bounded-sqs-batch tune">'
const OLD_PAYLOAD = '{"Records":[{"attributes":{"SenderId":"tune"}}]}'

test('--payload writes an event with messages of the sample', async (t) => {
  const file = join(folder(t), 'payload.json')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--payload', file, '--json']
  await command(['tune', tuned, ...sampleFile(t), ...flags])
  const { Records } = JSON.parse(readFileSync(file, 'utf8'))
  t.equal(Records.length, 30)
  t.match(Records[1], { body: '{"number":2}', eventSource: 'aws:sqs' })
})

test('--report writes a page with the same result as --json', async (t) => {
  const file = join(folder(t), 'tune.html')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--report', file, '--json']
  const { stdout } = await command(['tune', tuned, ...sampleFile(t), ...flags])
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
    const { code } = await command(['tune', `${tuned}#plain`, ...sampleFile(t), '--batch-size', '10', ...outputs])
    t.equal(code, 2)
  }
  t.strictSame(readdirSync(at).sort(), ['link.html', 'old.html', 'old.json'])
  t.equal(readFileSync(oldReport, 'utf8'), OLD_REPORT)
  t.equal(readFileSync(oldPayload, 'utf8'), OLD_PAYLOAD)
})

test('an output that would overwrite an input is refused before the run', async (t) => {
  const [, samples] = sampleFile(t) as [string, string]
  const { code, stderr } = await command(['tune', tuned, '--messages-file', samples, '--payload', samples])
  t.equal(
    stderr,
    `bounded-sqs-batch: --payload ${samples} would overwrite --messages-file ${samples}: both are the same file. Name another file\n`,
  )
  t.equal(code, 2)
  t.equal(readFileSync(samples, 'utf8'), '{"number":1}\n{"number":2}')
})

test('a later run overwrites the payload and the report of an earlier one', async (t) => {
  const [payload, report] = ['payload.json', 'report.html'].map((name) => join(folder(t), name)) as [string, string]
  const flags = ['--concurrency', '10..10', '--memory', '1769', '--payload', payload, '--report', report, '--json']
  for (const size of [30, 40]) {
    await command(['tune', tuned, ...sampleFile(t), ...flags, '--batch-size', `${size}`])
    t.equal(JSON.parse(readFileSync(payload, 'utf8')).Records.length, size)
    t.match(readFileSync(report, 'utf8'), `batches of ${size} records`)
  }
})
