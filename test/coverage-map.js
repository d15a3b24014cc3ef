// What a test covers. Those of the rules cover the library; those that use the package as users do run its built files
// and cover nothing.
import { readdirSync } from 'node:fs'

const sources = readdirSync(new URL('../src/', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
const coversTheLibrary = /^test\/(?!readme)[^/]+\.test\.ts$/

export default (testFile) => (coversTheLibrary.test(testFile) ? sources : null)
