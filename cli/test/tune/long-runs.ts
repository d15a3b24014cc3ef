import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { TuneResult } from '../../src/tune/figures/result.ts'
import { folder, until } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'
import { downstream, exactRun, IO_BOUND, sampleFile, tuned } from '../support/tune.ts'

test('Ctrl-C ends the run, and the results so far are printed and reported as incomplete', async (t) => {
  const report = join(folder(t), 'report.html')
  const flags = ['--concurrency', '10..400', '--batch-size', '400', '--memory', '1769', '--report', report]
  const { code, stdout } = await exactRun(['tune', tuned, ...sampleFile(t), ...flags], {
    during: async (child, output) => {
      await until(() => output.stdout.includes('best so far'))
      child.kill('SIGINT')
    },
  })
  t.equal(code, 1)
  t.match(stdout, /^Measured without a CPU limit:\n┌[\s\S]*\n│ 10 +│[\s\S]*^Recommendation: 1,769 MB, and a/m)
  t.match(stdout, /^trying concurrency \d+: .* · (about .* left|ends soon) · best so far/m)
  t.match(stdout, /^Warning: The run is incomplete: interrupted\.$/m)
  t.match(stdout, /^Patch:\n(# The .*\n)?# The run is incomplete: interrupted\.\n# Measured with/m)
  t.match(stdout, /^incomplete: interrupted$/m)
  t.match(readFileSync(report, 'utf8'), /<li>The run is incomplete: interrupted\.<\/li>/)
})

test('a run of more than 10 minutes is not started without --yes, and the error names the flag that helps', async (t) => {
  const flags = ['--concurrency', '1..1', '--batch-size', '10000', '--timeout', '900', '--json']
  const started = await exactRun(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
  t.equal(started.code, 2)
  t.equal(started.stdout, '')
  t.match(
    started.stderr,
    /^bounded-sqs-batch: the estimate for this run is about \d+ min, [\d,]+ messages, and the limit is 10 min or 1,000,000 messages\. To make it shorter, use --quick \(about .*\)\. To start it anyway, add --yes$/m,
  )
  const { code, stderr } = await exactRun(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags, '--yes'], {
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
  const { code, stdout, stderr } = await exactRun(['tune', `${tuned}#slow`, ...sampleFile(t), ...flags])
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
  const { code, stdout, stderr } = await exactRun(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
    env: { DOWNSTREAM_URL: service.url },
  })
  t.equal(code, 1)
  // Batches have at most 100 messages, so fewer than that many are left.
  t.ok(service.calls() > 600 && service.calls() <= 700, `${service.calls()} calls`)
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
  const { code, stdout, stderr } = await exactRun(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
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
  const { stdout, stderr } = await exactRun(['tune', tuned, ...sampleFile(t), ...flags])
  t.equal(JSON.parse(stdout).environments, 1)
  t.match(stderr, `${template} has no MaximumConcurrency, so tune starts one environment. Use --environments`)
})

test('--concurrency is the total of two environments', async (t) => {
  const service = await downstream(t, 1000, 20)
  const flags = ['--concurrency', '40..40', '--environments', '2', '--batch-size', '100', '--json']
  const { code, stdout } = await exactRun(['tune', IO_BOUND, ...sampleFile(t), ...flags], {
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
