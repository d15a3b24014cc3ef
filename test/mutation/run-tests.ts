// Runs the tests of a source file in one process, because loading tap takes longer than most test files. Stryker calls
// this once without a mutant, then once for each mutant.
import t from 'tap'
import { testFilesOf } from './tests.ts'

for (const file of testFilesOf(process.env.MUTATED_SOURCE as string)) {
  await import(`../../${file}`)
  await t.test(file, async () => {}) // waits for the tests of this file: the next file is loaded only if they pass
}
