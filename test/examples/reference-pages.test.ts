import { readFileSync } from 'node:fs'
import t from 'tap'
import { referencePages } from '../../scripts/reference-pages.ts'

for (const [path, text] of referencePages()) {
  t.test(`${path} is what the code says`, async (t) => {
    const committed = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    t.equal(committed, text, 'after a change, run: npm run docs:reference')
  })
}
