import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'tap'
import { differencesOf } from '../../src/local/command/differences.ts'
import { type Ledger, openLedger } from '../../src/local/simulator/ledger.ts'
import type { RunOptions } from '../../src/local/simulator/run.ts'
import { folder } from '../support/runs.ts'

const OWN = { visibilityTimeout: 180, maxReceives: 3 }
const GIVEN = { queueUrl: 'http://127.0.0.1:4566/0/orders' }

/** The differences of a run of handler.mjs, with these changes. */
function of(ledger: Partial<Ledger>, options: Partial<RunOptions> = {}): string[] {
  return differencesOf({ ...openLedger().snapshot({ queue: 0, deadLetter: 0 }), causes: {}, ...ledger } as Ledger, {
    queue: OWN,
    function: { file: 'handler.mjs' },
    mapping: {},
    ...options,
  })
}

test('a run without failures of a .mjs file has no differences', async (t) => {
  t.strictSame(of({}), [])
})

test('failed messages are redelivered early if the queue is in this process', async (t) => {
  const mapping = { retryAfter: 0 }
  const early = [
    'failed messages were redelivered after 0 s, and not after their visibility timeout (--retry-after off)',
  ]
  t.strictSame(of({ redelivered: 2, causes: { 'Error: no': 2 } }, { mapping }), early)
  t.strictSame(of({ redelivered: 2, failedInvocations: 1 }, { mapping }), early)
  t.strictSame(of({ redelivered: 0, failedInvocations: 1 }, { mapping }), [], 'none was redelivered')
  t.strictSame(of({ redelivered: 2 }, { mapping }), [], 'only duplicates were')
  t.strictSame(of({ redelivered: 2, failedInvocations: 1 }), [], 'after the visibility timeout')
  t.strictSame(of({ redelivered: 2, failedInvocations: 1 }, { mapping, queue: GIVEN }), [], 'another queue')
})

test('TypeScript and a long timeout differ from Lambda', async (t) => {
  t.strictSame(of({}, { function: { file: 'handler.mts' } }), [
    'Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
  ])
  t.strictSame(of({}, { function: { file: 'handler.mjs', timeout: 900_000 } }), [])
  t.strictSame(of({}, { function: { file: 'handler.mjs', timeout: 900_001 } }), [
    'the timeout was enforced. Only Lambda Managed Instances allow more than 900 s, and do not enforce it',
  ])
})

test('a .js file that is an ES module because of a package.json above its folder needs that file', async (t) => {
  const root = folder(t)
  const [handlers, own] = [join(root, 'handlers'), join(root, 'own')]
  for (const at of [handlers, own]) mkdirSync(at)
  const manifest = join(root, 'package.json')
  writeFileSync(manifest, '{ "type": "module" }')
  writeFileSync(join(own, 'package.json'), '{ "type": "module" }')
  const ofFile = (file: string) => of({}, { function: { file } })
  t.strictSame(ofFile(join(handlers, 'a.js')), [
    `${relative('.', manifest)} makes a.js an ES module. Lambda needs that file too: deploy it, or name the handler's file .mjs`,
  ])
  t.strictSame(ofFile(join(handlers, 'a.mjs')), [], 'it needs no package.json')
  t.strictSame(ofFile(join(own, 'a.js')), [], 'in the folder of the handler, and deployed with it')
  writeFileSync(manifest, '{}')
  t.strictSame(ofFile(join(handlers, 'a.js')), [], 'it is CommonJS')
  t.strictSame(ofFile(join(folder(t), 'a.js')), [], 'no package.json is above it')
})
