import { existsSync } from 'node:fs'
import { test } from 'tap'
import { createCpuQuota } from '../../src/tune/cpu-quota.ts'
import type { Combination, TuneResult } from '../../src/tune/figures/result.ts'
import { command } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { downstream, exactRun, IO_BOUND, sampleFile, tuned } from '../support/tune.ts'

test('the JSON output for a downstream with a capacity of 40 has the combinations, the recommendation and the patch', async (t) => {
  const service = await downstream(t, 40, 50)
  const flags = ['--concurrency', '20..40', '--batch-size', '100', '--memory', '1769,512', '--json']
  const { code, stdout, stderr } = await exactRun(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
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
    t.ok(goodput <= 40 / 0.045 && Number(p50) >= 45, `${goodput} records/s, ${p50} ms`)
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

test('the text output has tables, the recommendation, the patch, and what the machine cannot know', async (t) => {
  const flags = ['--concurrency', '10..11', '--batch-size', '50', '--memory', '1769', '--optimize', 'cost']
  const { code, stdout, stderr } = await exactRun(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
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
    /^Patch:\n(# The .*\n)?# Measured with 1 environment, batches of 50 records, and a timeout of 30 s\.\n# Add CodeUri/m,
  )
  t.match(stdout, /^What this machine cannot know:\n- The processor:.*\n- The network:.*\n- The real downstream:/m)
})

test('--confirm measures the recommendation under a CPU quota, or warns that cgroups are not permitted', async (t) => {
  const probe = createCpuQuota(`probe-${process.pid}`, 20)
  probe?.remove()
  const flags = ['--concurrency', '10..10', '--batch-size', '50', '--memory', '512,1769', '--confirm', '--json']
  const { code, stdout, stderr } = await exactRun(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
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
  const fifo = (BatchSize: number) => {
    const mapping = { BatchSize, MaximumBatchingWindowInSeconds: 0 }
    return templateFile(t, sam({ mapping, queue: { FifoQueue: true }, dead: { FifoQueue: true } }))
  }
  await refuse([tuned, ...sample, '--template', fifo(20)], /The batch size is 20, but the queue is a FIFO queue\./)
  await refuse([tuned, ...sample, '--template', fifo(10), '--batch-size', '11'], '--batch-size 11 is too large')
  for (const MaximumConcurrency of [0, 1, -3]) {
    const wrong = templateFile(t, sam({ mapping: { ScalingConfig: { MaximumConcurrency } } }))
    await refuse([tuned, ...sample, '--template', wrong], `The maximum concurrency is ${MaximumConcurrency}. Lambda`)
  }
  t.notOk(existsSync('/nope'))
})
