import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { RULES } from '../../src/doctor/check.ts'
import { CASES } from '../support/rule-cases.ts'
import { cloudFormation, findingsIn } from '../support/templates.ts'

// The severity, the text, the fix and the new value, of each finding in rule-cases.ts. To accept new texts, run this file with
// UPDATE_TEXTS=1, and read the changes.
const FILE = new URL('fixtures/finding-texts.json', import.meta.url)
const TEXTS: Record<string, string[][]> = JSON.parse(readFileSync(FILE, 'utf8'))
const found: typeof TEXTS = {}

for (const { title, change } of CASES) {
  test(`the texts of ${title}`, async (t) => {
    const findings = await findingsIn(t, cloudFormation(change))
    found[title] = findings.map(({ severity, rule, message, fix, set }) => {
      return [`${severity} ${rule}`, message, fix, ...(set === undefined ? [] : [set])]
    })
    if (!process.env.UPDATE_TEXTS) t.strictSame(found[title], TEXTS[title])
  })
}

test('the file of texts has no other cases', async (t) => {
  if (process.env.UPDATE_TEXTS) writeFileSync(FILE, `${JSON.stringify(found, undefined, 2)}\n`)
  t.strictSame(
    Object.keys(TEXTS),
    CASES.map(({ title }) => title),
  )
})

/** The rules that need the code, which code-rules.test.ts tests. */
const IN_CODE = ['commonjs-handler']

test('every rule has a template that breaks it, says why that matters, and names a page of AWS', (t) => {
  const found = new Set(CASES.flatMap(({ found }) => found.map((id) => id.split(' ')[0])))
  for (const { id, why, source } of RULES) {
    t.ok(found.has(id) || IN_CODE.includes(id), id)
    t.match(source, /^https:\/\/docs\.aws\.amazon\.com\//)
    t.match(why, /^[A-Z].*\.$/)
  }
  t.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length)
  t.end()
})
