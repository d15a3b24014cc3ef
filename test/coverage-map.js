// What a test covers. The tests in these folders cover the library. The others cover nothing: they use the built package as
// users do, or search it at random for what the tests of the behaviour missed.
import { readdirSync } from 'node:fs'

const sources = readdirSync(new URL('../src/', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
const coversTheLibrary = /^test\/(handlers|invocation|options|report|scheduler|sqs|testing)\//

export default (testFile) => (coversTheLibrary.test(testFile) ? sources : null)
