import { test } from 'tap'
import type { TuneResult } from '../../src/tune/figures/result.ts'
import { command } from '../support/runs.ts'
import { exactRun, sampleFile, tuned } from '../support/tune.ts'

test('if every record fails, the exit code is 1, and the causes are shown', async (t) => {
  const flags = ['--concurrency', '10..40', '--batch-size', '50', '--memory', '1769']
  const { code, stdout } = await exactRun(['tune', `${tuned}#fails`, ...sampleFile(t), ...flags])
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
  const json = await exactRun(['tune', `${tuned}#fails`, ...sampleFile(t), ...flags, '--json'])
  t.match(JSON.parse(json.stdout), { best: null, patch: null })
})

test('if the goodput is not exact, one line and a comment of the patch say so', async (t) => {
  const flags = ['--concurrency', '10..10', '--batch-size', '100', '--memory', '1769', '--json']
  const { code, stdout } = await exactRun(['tune', `${tuned}#uneven`, ...sampleFile(t), ...flags])
  t.equal(code, 0)
  const { uncertainty, patch, equal }: TuneResult = JSON.parse(stdout)
  t.match(
    uncertainty,
    /^The records per second are exact only to ±\d+ %\.( The estimated time was over .*\.)? For a more exact result, run tune again on a quiet machine\.$/,
  )
  t.equal(patch?.split('\n# Measured')[0], `# ${uncertainty}`)
  t.equal(equal, null)
})

test('if the goodput is not known to ±25 %, there is no recommendation', async (t) => {
  const flags = ['--concurrency', '10..10', '--batch-size', '100', '--memory', '1769', '--quick', '--json']
  const { code, stdout } = await command(['tune', `${tuned}#veryUneven`, ...sampleFile(t), ...flags])
  t.equal(code, 1)
  const { measurements, ...result }: TuneResult = JSON.parse(stdout)
  t.equal(measurements[0]?.rounds, 6)
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
  const { stdout } = await exactRun(['tune', `${tuned}#failsMostly`, ...sampleFile(t), ...flags])
  t.match(
    JSON.parse(stdout).recommendation,
    'But 90 % of the records failed. The concurrency may cause these failures, so try a wider range with --concurrency.',
  )
})

for (const [title, handler, recommendation] of [
  [
    'if an invocation crashes at every concurrency, nothing is recommended, although records succeed',
    'crashes',
    'No combination can be used: the process ended with exit code 3.',
  ],
  [
    'if the process ends after each response, nothing is recommended',
    'diesAtOnce',
    /^No combination can be used: the process ended with exit code 1 after its response\. Is an/,
  ],
] as const) {
  test(title, async (t) => {
    const flags = ['--concurrency', '10..11', '--batch-size', '100', '--memory', '1769', '--json']
    const { code, stdout } = await exactRun(['tune', `${tuned}#${handler}`, ...sampleFile(t), ...flags])
    t.equal(code, 1)
    t.match(JSON.parse(stdout), { best: null, patch: null, recommendation })
  })
}
