import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { createCpuQuota } from '../../src/local/runtime/cpu-quota.ts'
import type { Combination, TuneResult } from '../../src/tune/figures/result.ts'
import { startDownstream } from '../support/downstream.ts'
import { command, folder, handlerFile, until } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'

const IO_BOUND = fileURLToPath(new URL('./known/io-bound.ts', import.meta.url))
const tuned = handlerFile('tuned.ts')

/** The part of an earlier output by which `tune` recognizes it. */
const OLD_REPORT = '<meta name="generator" content="bounded-sqs-batch tune">'
const OLD_PAYLOAD = '{"Records":[{"attributes":{"SenderId":"tune"}}]}'

/** A file with sample messages. */
function sampleFile(t: Test, lines = ['{"number":1}', '{"number":2}']) {
  const file = join(folder(t), 'sample.jsonl')
  writeFileSync(file, lines.join('\n'))
  return ['--messages-file', file]
}

async function downstream(t: Test, capacity: number, ms: number) {
  const started = await startDownstream(capacity, ms)
  t.teardown(started.close)
  return started
}

test('the JSON output for a downstream with a capacity of 40 has the combinations, the recommendation and the patch', async (t) => {
  const service = await downstream(t, 40, 20)
  const flags = ['--concurrency', '20..40', '--batch-size', '100', '--memory', '1769,512', '--json']
  const { code, stdout, stderr } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: service.url },
  })
  t.equal(code, 0, stderr)
  const result: TuneResult = JSON.parse(stdout)
  const { combinations, best, measurements, patch } = result
  t.match(result, { handler: IO_BOUND, environments: 1, batchSize: 100, optimize: 'balanced' })
  t.equal(measurements[0]?.concurrency, 20)
  t.strictSame(
    combinations.map(({ memory, concurrency }) => `${memory} × ${concurrency}`),
    [512, 1769].flatMap((memory) => measurements.map(({ concurrency }) => `${memory} × ${concurrency}`)),
  )
  for (const combination of combinations) {
    const { goodput, failedShare, p50, p95, cpuPerRecord, peakMemory, costPerMillion } = combination
    for (const figure of [goodput, p50, p95, cpuPerRecord, peakMemory, costPerMillion])
      t.ok(Number(figure) > 0, `${figure}`)
    t.equal(failedShare, 0)
    t.ok(goodput <= 40 / 0.015 && Number(p50) >= 15, `${goodput} records/s, ${p50} ms`)
    t.match(combination.origin, combination.memory === 512 ? 'predicted' : /^(measured|predicted)$/)
  }
  t.ok(combinations.some((combination) => JSON.stringify(combination) === JSON.stringify(best)))
  t.match(
    patch,
    new RegExp(`MemorySize: ${best?.memory}[\\s\\S]*BOUNDED_SQS_BATCH_CONCURRENCY: "${best?.concurrency}"`),
  )
  t.match(stderr, /^warning: the handler really runs, and calls the systems that its environment variables point to$/m)
  t.match(stderr, /^estimate: about (\d+ s|\d+ min( \d+ s)?), [\d,]+ messages$/m)
  const [, received = ''] = /^the run took .*, and the handler received ([\d,]+) messages$/m.exec(stderr) ?? []
  const inRun = Number(received.replaceAll(',', ''))
  t.ok(inRun > 0 && inRun < service.calls(), `${inRun} of ${service.calls()}: it received others before the estimate`)
  t.match(stderr, /^1 environment \(the default; --environments changes it\), batches of 100, a timeout of 30 s/m)
})

test('--concurrency is the total of two environments', async (t) => {
  const service = await downstream(t, 1000, 20)
  const flags = ['--concurrency', '40..40', '--environments', '2', '--batch-size', '100', '--json']
  const { code, stdout } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: service.url },
  })
  t.equal(code, 0)
  const { measurements, best, patch, recommendation }: TuneResult = JSON.parse(stdout)
  t.strictSame(
    measurements.map(({ concurrency }) => concurrency),
    [20],
  )
  t.equal(best?.concurrency, 20)
  t.match(
    recommendation,
    / No higher concurrency was tried\. A concurrency above 20, the end of the range, may be faster: raise --concurrency\./,
  )
  t.ok(service.peak() > 20 && service.peak() <= 40, `${service.peak()} calls at once`)
  t.match(patch, /ScalingConfig:\s+MaximumConcurrency: 2/)
})

test('the text output has tables, the recommendation, the patch, and what the machine cannot know', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '50', '--memory', '1769', '--optimize', 'cost']
  const { code, stdout, stderr } = await command(['tune', tuned, ...sampleFile(t), ...flags])
  t.equal(code, 0)
  t.equal(stderr, '')
  t.notMatch(stdout, '\u001b', 'no escape sequences')
  t.match(stdout, /^measuring a few short batches, to estimate the time\nestimate: about/m)
  t.match(stdout, /^Measured without a CPU limit:\n┌[\s\S]*│ +concur- │ records │[\s\S]*\n│ 10 +│[\s\S]*\n│ 11 +│/m)
  t.match(
    stdout,
    /^The best concurrency for each memory size:\n┌[\s\S]*\n│ 1,769 MB +│ +\d+ │.*│ +\$\d\.\d{3} │ +(measured|predicted) │$/m,
  )
  t.match(
    stdout,
    /^Recommendation: 1,769 MB, and a concurrency of \d+ in one environment: [\d,.]+ records\/s for \$\d\.\d{3} per million messages \((measured,|predicted from a measurement with) ±\d+ %\)\. No other memory size is more than 5 % cheaper\. (Of the higher|No higher|Other concurrencies)/m,
  )
  t.match(
    stdout,
    /^Patch:\n(# The (records|concurrencies) .*\n)?# Measured with 1 environment, batches of 50 records, and a timeout of 30 s\.\n# Add CodeUri/m,
  )
  t.match(stdout, /^What this machine cannot know:\n- The processor:.*\n- The network:.*\n- The real downstream:/m)
})

test('if every record fails, the exit code is 1, and the causes are shown', async (t) => {
  const flags = ['--concurrency', '10..40', '--batch-size', '50', '--memory', '1769']
  const { code, stdout } = await command(['tune', `${tuned}#fails`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  t.match(
    stdout,
    /^Recommendation: No combination can be used: no record succeeded: Error: downstream returned 503\.$/m,
  )
  t.match(
    stdout,
    /^Why records failed \(records × error\):\n {2}[\d,]+ × Error: downstream returned 503 \(concurrency 10, 16\)$/m,
  )
  t.notMatch(stdout, 'Patch:')
  const json = await command(['tune', `${tuned}#fails`, ...sampleFile(t), ...flags, '--json'])
  t.match(JSON.parse(json.stdout), { best: null, patch: null })
})

test('if the goodput is not exact, one line and a comment of the patch say so', async (t) => {
  const flags = ['--concurrency', '10..10', '--batch-size', '100', '--memory', '1769', '--json']
  const { code, stdout } = await command(['tune', `${tuned}#uneven`, ...sampleFile(t), ...flags])
  t.equal(code, 0)
  const { uncertainty, patch, equal }: TuneResult = JSON.parse(stdout)
  t.match(
    uncertainty,
    /^The records per second are exact only to ±\d+ %\. For a more exact result, run tune again on a quiet machine\.$/,
  )
  t.equal(patch?.split('\n# Measured')[0], `# ${uncertainty}`)
  t.equal(equal, null)
})

test('if the goodput is not known to ±25 %, there is no recommendation', async (t) => {
  const flags = ['--concurrency', '10..10', '--batch-size', '100', '--memory', '1769', '--json']
  const { code, stdout } = await command(['tune', `${tuned}#veryUneven`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  const { measurements, ...result }: TuneResult = JSON.parse(stdout)
  t.equal(measurements[0]?.rounds, 10)
  t.match(result, {
    best: null,
    patch: null,
    uncertainty: null,
    recommendation:
      'There is no recommendation, because no goodput is known to ±25 %. Run tune again on a quiet machine.',
  })
})

test('if most records fail at the recommended concurrency, the recommendation says so', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '50', '--memory', '1769', '--json']
  const { stdout } = await command(['tune', `${tuned}#failsMostly`, ...sampleFile(t), ...flags])
  t.match(
    JSON.parse(stdout).recommendation,
    'But 90 % of the records failed. The concurrency may cause these failures, so try a wider range with --concurrency.',
  )
})

test('if an invocation crashes at every concurrency, nothing is recommended, although records succeed', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '100', '--memory', '1769', '--json']
  const { code, stdout } = await command(['tune', `${tuned}#crashes`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  t.match(JSON.parse(stdout), {
    best: null,
    patch: null,
    recommendation: 'No combination can be used: the process ended with exit code 3.',
  })
})

test('if the process ends after each response, nothing is recommended', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '100', '--memory', '1769', '--json']
  const { code, stdout } = await command(['tune', `${tuned}#diesAtOnce`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  t.match(JSON.parse(stdout), {
    best: null,
    patch: null,
    recommendation: /^No combination can be used: the process ended with exit code 1 after its response\. Is an/,
  })
})

test('Ctrl-C ends the run, and the results so far are printed and reported as incomplete', async (t) => {
  const report = join(folder(t), 'report.html')
  const flags = ['--concurrency', '10..400', '--batch-size', '400', '--memory', '1769', '--report', report]
  const { code, stdout } = await command(['tune', tuned, ...sampleFile(t), ...flags], {
    during: async (child, output) => {
      await until(() => output.stdout.includes('best so far'))
      child.kill('SIGINT')
    },
  })
  t.equal(code, 1)
  t.match(stdout, /^Measured without a CPU limit:\n┌[\s\S]*\n│ 10 +│[\s\S]*^Recommendation: 1,769 MB, and a/m)
  t.match(stdout, /^trying concurrency \d+: .* · (about .* left|takes longer than estimated) · best so far/m)
  t.match(stdout, /^Warning: The run is incomplete: interrupted\.$/m)
  t.match(
    stdout,
    /^Patch:\n(# The (records|concurrencies) .*\n)?# The run is incomplete: interrupted\.\n# Measured with/m,
  )
  t.match(stdout, /^incomplete: interrupted$/m)
  t.match(readFileSync(report, 'utf8'), /<li>The run is incomplete: interrupted\.<\/li>/)
})

test('a run of more than 10 minutes is not started without --yes, and the error names the flag that helps', async (t) => {
  const flags = ['--concurrency', '1..1', '--batch-size', '10000', '--timeout', '900', '--json']
  const started = await command(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
  t.equal(started.code, 2)
  t.equal(started.stdout, '')
  t.match(
    started.stderr,
    /^bounded-sqs-batch: the estimate for this run is about \d+ min, [\d,]+ messages, and the limit is 10 min or 1,000,000 messages\. To make it shorter, use --quick \(about .*\)\. To start it anyway, add --yes$/m,
  )
  const { code, stderr } = await command(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags, '--yes'], {
    during: async (child, output) => {
      await until(() => output.stderr.includes('trying concurrency 1'))
      child.kill('SIGINT')
    },
  })
  t.equal(code, 1)
  t.match(stderr, /^estimate: about \d+ min, [\d,]+ messages$/m)
})

test('--quick reduces the batches, and the patch keeps the batch size', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '4000', '--quick', '--memory', '1769', '--json']
  const { code, stdout, stderr } = await command(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
  t.equal(code, 0, stderr)
  const { batchSize, patch }: TuneResult = JSON.parse(stdout)
  t.ok(batchSize < 4000, `${batchSize}`)
  t.match(stderr, `--quick: batches of ${batchSize.toLocaleString('en-US')} records, so that the run is short`)
  t.match(patch, /^# Before you deploy, check with batches of 4,000 records that a batch ends before/m)
  t.match(patch, /^ +BatchSize: 4000$/m)
})

test('--messages limits what the handler receives', async (t) => {
  const service = await downstream(t, 1000, 1)
  const flags = ['--concurrency', '10..400', '--batch-size', '100', '--messages', '700', '--json']
  const { code, stdout, stderr } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: service.url },
  })
  t.equal(code, 1)
  t.ok(service.calls() <= 700, `${service.calls()} calls`)
  t.match(stderr, /^incomplete: the next batch would exceed --messages 700$/m)
  t.ok(JSON.parse(stdout).measurements.length <= 1)
})

test('tune uses the settings and environment variables of a template, and its logical ids in the patch', async (t) => {
  const service = await downstream(t, 1000, 1)
  const template = templateFile(
    t,
    sam({
      function: { Timeout: 20, MemorySize: 640, Environment: { Variables: { DOWNSTREAM_URL: service.url } } },
      mapping: { BatchSize: 50, MaximumBatchingWindowInSeconds: 3, ScalingConfig: { MaximumConcurrency: 2 } },
      queue: { VisibilityTimeout: 30 },
    }),
  )
  const flags = ['--template', template, '--concurrency', '20..20', '--json']
  const { code, stdout, stderr } = await command(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: 'http://127.0.0.1:1' },
  })
  t.equal(code, 0, stderr)
  t.match(
    stderr,
    `settings of Handler/Orders in ${template}: batch size 50, window 3 s, timeout 20 s, memory 640 MB, FIFO false, maximum concurrency 2, environment variables DOWNSTREAM_URL\n`,
  )
  t.match(stderr, /^2 environments, batches of 50, a timeout of 20 s$/m)
  const { combinations, environments, batchSize, patch }: TuneResult = JSON.parse(stdout)
  t.strictSame({ environments, batchSize }, { environments: 2, batchSize: 50 })
  t.strictSame([...new Set(combinations.map(({ memory }) => memory))], [128, 256, 512, 640, 1024, 1769])
  t.match(patch, /^Resources:\n {2}Handler:\n {4}Properties:\n {6}MemorySize: \d+\n {6}Timeout: 20\n/m)
  t.match(patch, /MaximumBatchingWindowInSeconds: 3\n[\s\S]*MaximumConcurrency: 2\n[\s\S]*VisibilityTimeout: 123\n/)
})

test('if a template has no MaximumConcurrency, tune runs one environment and says so', async (t) => {
  const template = templateFile(t, sam())
  const flags = ['--template', template, '--concurrency', '20..20', '--json']
  const { stdout, stderr } = await command(['tune', tuned, ...sampleFile(t), ...flags])
  t.equal(JSON.parse(stdout).environments, 1)
  t.match(stderr, `${template} has no MaximumConcurrency, so tune starts one environment. Use --environments`)
})

test('--payload writes an event with messages of the sample', async (t) => {
  const file = join(folder(t), 'payload.json')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--payload', file, '--json']
  t.equal((await command(['tune', tuned, ...sampleFile(t), ...flags])).code, 0)
  const { Records } = JSON.parse(readFileSync(file, 'utf8'))
  t.equal(Records.length, 30)
  t.match(Records[1], { body: '{"number":2}', eventSource: 'aws:sqs' })
})

test('--report writes a page with the same result as --json', async (t) => {
  const file = join(folder(t), 'tune.html')
  const flags = ['--concurrency', '10..10', '--batch-size', '30', '--report', file, '--json']
  const { code, stdout, stderr } = await command(['tune', tuned, ...sampleFile(t), ...flags])
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
    const { code } = await command(['tune', `${tuned}#plain`, ...sampleFile(t), '--batch-size', '10', ...outputs])
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
    const { code, stderr } = await command(['tune', handler, ...inputs, ...outputs])
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
    const { code, stderr } = await command(['tune', join(at, 'handler.mjs'), ...sampleFile(t), flag, file])
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
    const { code, stderr } = await command(['tune', tuned, ...sampleFile(t), ...flags, '--batch-size', `${size}`])
    t.equal(code, 0, stderr)
    t.equal(JSON.parse(readFileSync(payload, 'utf8')).Records.length, size)
    t.match(readFileSync(report, 'utf8'), `batches of ${size} records`)
  }
})

test('--confirm measures the recommendation under a CPU quota, or warns that cgroups are not permitted', async (t) => {
  const probe = createCpuQuota(`probe-${process.pid}`, 20)
  probe?.remove()
  const flags = ['--concurrency', '10..10', '--batch-size', '50', '--memory', '512,1769', '--confirm', '--json']
  const { code, stdout, stderr } = await command(['tune', tuned, ...sampleFile(t), ...flags])
  t.equal(code, 0, stderr)
  const { combinations, confirmations }: TuneResult = JSON.parse(stdout)
  const confirmed = combinations.filter(({ origin }: Combination) => origin === 'confirmed')
  if (probe)
    t.strictSame(
      confirmed.map(({ memory }) => memory),
      [512, 1769],
    )
  else {
    t.strictSame(confirmations, [])
    t.strictSame(confirmed, [])
    t.match(stderr, /^warning: this machine does not permit cgroups/m)
  }
})

test('wrong usage exits with code 2 and says what is wrong', async (t) => {
  const sample = sampleFile(t)
  async function refuse(args: string[], message: string | RegExp) {
    const { code, stderr } = await command(['tune', ...args])
    t.match(stderr, message)
    t.equal(code, 2, stderr)
  }
  await refuse([tuned], "required option '--messages-file <file>' not specified")
  await refuse(['nope.ts', ...sample], 'there is no file nope.ts')
  await refuse([`${tuned}#nope`, ...sample], /tuned\.ts#nope could not be loaded: .*there is no export named `nope`/)
  await refuse([`${tuned}#plain`, ...sample, '--batch-size', '10'], 'the handler responded without middy-bounded-sqs')
  for (const range of ['40..10', '5-40', '1..x', '0..5', '1..100001', '1..2..3', '..5', '']) {
    const expected = 'Expected a whole number from 1 to 100,000, or two, the lower one first, such as 10..400.'
    await refuse([tuned, ...sample, '--concurrency', range], expected)
  }
  await refuse([tuned, ...sample, '--memory', '128,64'], 'Expected a whole number from 128 to 10,240')
  await refuse(
    [tuned, ...sample, '--environments', '2', '--concurrency', '1..1'],
    'contains no multiple of 2. Raise the higher number',
  )
  await refuse([tuned, ...sample, '--price', 'gold=1'], '--price gold=1 is not a price')
  await refuse([tuned, ...sample, '--messages', '10'], '--messages 10 is too low: tune needs at least 4000')
  await refuse([tuned, ...sample, '--parameter', 'A=1'], '--parameter and --template-function need --template')
  await refuse([tuned, ...sample, '--payload', '/nope/x.json'], '--payload /nope/x.json cannot be written (ENOENT)')
  await refuse([tuned, ...sample, '--report', '/nope/x.html'], '--report /nope/x.html cannot be written (ENOENT)')
  const fifo = templateFile(
    t,
    sam({ mapping: { BatchSize: 20 }, queue: { FifoQueue: true }, dead: { FifoQueue: true } }),
  )
  await refuse(
    [tuned, ...sample, '--template', fifo],
    `the batch size in ${fifo} is 20, but Lambda allows at most 10 on a FIFO queue`,
  )
  await refuse([tuned, ...sample, '--template', fifo, '--batch-size', '11'], '--batch-size 11 is too large')
  for (const MaximumConcurrency of [0, 1, -3]) {
    const wrong = templateFile(t, sam({ mapping: { ScalingConfig: { MaximumConcurrency } } }))
    const expected = `the maximum concurrency in ${wrong} is ${MaximumConcurrency}, but Lambda accepts 2 to 1,000`
    await refuse([tuned, ...sample, '--template', wrong], expected)
  }
  t.notOk(existsSync('/nope'))
})
