import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { RULES } from '../../src/doctor/check.ts'
import { CASES } from '../support/rule-cases.ts'
import { cloudFormation, findingsIn } from '../support/templates.ts'

// What the first case of each rule in rule-cases.ts says: the text, the fix and the new value. To accept new texts, run this
// file with UPDATE_TEXTS=1, and read the changes.
const FILE = new URL('fixtures/finding-texts.json', import.meta.url)
const TEXTS: Record<string, string[]> = JSON.parse(readFileSync(FILE, 'utf8'))

test('the texts of each rule', async (t) => {
  const found: typeof TEXTS = {}
  for (const { change } of CASES) {
    for (const { rule, message, fix, set } of await findingsIn(t, cloudFormation(change))) {
      found[rule] ??= [message, fix, ...(set === undefined ? [] : [set])]
    }
  }
  if (process.env.UPDATE_TEXTS) writeFileSync(FILE, `${JSON.stringify(found, undefined, 2)}\n`)
  else t.strictSame(found, TEXTS)
})

/** The rules that need the code, which needs.test.ts tests. */
const IN_CODE = ['missing-permission', 'memory-for-sqs']
/** The rules about the road to the queue, which road.test.ts tests. */
const ON_ROAD = ['key-stops-sender', 'role-cannot-read']

test('every rule has a template that breaks it, says why that matters, and names a page of AWS', (t) => {
  const found = new Set(CASES.flatMap(({ found }) => found.map((id) => id.split(' ')[0])))
  for (const { id, why, source } of RULES) {
    t.ok(found.has(id) || IN_CODE.includes(id) || ON_ROAD.includes(id), id)
    t.match(source, /^https:\/\/docs\.aws\.amazon\.com\//)
    t.match(why, /^[A-Z].*\.$/)
  }
  t.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length)
  t.end()
})
