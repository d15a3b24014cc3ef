// What a test covers. Those of the rules cover the library. Those in folders cover nothing: they use the package as users
// do, by its built files, or search it for what the rules' own tests should have found.
import { readdirSync } from 'node:fs'

const sources = readdirSync(new URL('../src/', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
const coversTheLibrary = /^test\/(?!readme)[^/]+\.test\.ts$/

export default (testFile) => (coversTheLibrary.test(testFile) ? sources : null)
