import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const sections = join(import.meta.dirname, '../../.ci/sections')

/** The last part of what .ci/run prints if its only section prints these lines and fails. */
function summaryOf(folder: string, lines: string[]): string[] {
  const script = `source ${sections}\nsection a 60 sh -c 'printf "%s\\n" "$@"; exit 1' sh "$@"\nfinish`
  const { status, stdout } = spawnSync('bash', ['-c', script, `${folder}/run`, ...lines], { encoding: 'utf8' })
  t.equal(status, 1)
  return (stdout.split('\n=== a failed:\n')[1] as string).split('\n').filter((line) => line !== '')
}

t.test('a failed section of .ci/run prints the first failed test, its file and its seed', async (t) => {
  const tap = [
    '# Subtest: test/a.test.ts',
    '    # FUZZ_SEED=1',
    '    ok 1 - passes',
    'ok 1 - test/a.test.ts',
    '# Subtest: test/b.test.ts',
    '    # FUZZ_SEED=2',
    '    # Subtest: a case',
    '        not ok 1 - expected 3, got 4',
    '    not ok 1 - a case',
  ]
  const summary = summaryOf(temporaryFolder(t), [...tap, ...Array(100).fill('later')])
  t.strictSame(summary.slice(0, 4), [tap[4], tap[6], tap[5], tap[7]])
  t.match(summary.at(-1), /^0 passed, 1 failed, 0 not run in \d+ s$/)
})

t.test('the same if Node runs the file without tap', async (t) => {
  const tap = ['# Subtest: test/b.test.ts', 'TAP version 14', '# FUZZ_SEED=2', '# Subtest: a case', '    not ok 1 - no']
  t.strictSame(summaryOf(temporaryFolder(t), tap).slice(0, 4), [tap[0], tap[3], tap[2], tap[4]])
})

t.test('a failed section without tests prints its seed and its last lines', async (t) => {
  const summary = summaryOf(temporaryFolder(t), ['20 messages, --seed 7', ...Array(100).fill('later'), 'lost: 1'])
  t.equal(summary[0], '20 messages, --seed 7')
  t.equal(summary.at(-2), 'lost: 1')
})

t.test('sections that run beside others count, also those of a function that ends early', async (t) => {
  const script = `source ${sections}
    two() { section a 60 true; section b 60 sh -c 'echo "not ok 1 - planted"; exit 1'; }
    early() { section c 60 sh -c 'exit 75'; exit 3; section d 60 true; }
    beside two
    beside early
    section e 60 true
    finish`
  const { status, stdout } = spawnSync('bash', ['-c', script, `${temporaryFolder(t)}/run`], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stdout, /^2 passed, 2 failed, 1 not run in \d+ s$/m)
  t.match(stdout, /^=== b failed:\n+not ok 1 - planted$/m)
})
