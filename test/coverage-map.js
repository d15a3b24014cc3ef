// Tells tap which sources a test file covers. Only the tests in these folders count. The others use the built package, or
// test it with random input, so they do not show which behaviour has a test.
import { readdirSync } from 'node:fs'

const sources = readdirSync(new URL('../src/', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
const coversTheLibrary = /^test\/(handlers|invocation|options|report|scheduler|sqs|testing)\//

export default (testFile) => (coversTheLibrary.test(testFile) ? sources : null)
