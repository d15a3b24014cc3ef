// Runs the tests of a source file in one process, because loading tap takes longer than most test files. Stryker calls
// this once without a mutant, then once for each mutant.
import t from 'tap'
import { TESTS } from './tests.ts'

for (const test of TESTS[process.env.MUTATED_SOURCE as string] as string[]) {
  await import(`../${test}.test.ts`)
  await t.test(test, async () => {}) // waits for the tests of this file: the next file is loaded only if they pass
}
