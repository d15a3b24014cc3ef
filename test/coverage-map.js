// What a test covers: those of the library cover the library; those that use it as users do cover nothing.
import { readdirSync } from 'node:fs'

const sources = readdirSync(new URL('../src/', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)

export default (testFile) => (/^test\/[^/]+\.test\.ts$/.test(testFile) ? sources : null)
