import { type Test, test } from 'tap'
import { type Ledger, OpenLedger } from '../../../src/local/account/ledger.ts'
import { differencesOf } from '../../../src/local/command/differences-from-lambda.ts'
import type { RunOptions } from '../../../src/local/event-source/run.ts'
import type { Mapping } from '../../../src/model/model.ts'
import { type Change, read as readSam, sam } from '../../support/templates.ts'

const OWN = { visibilityTimeout: 180, maxReceives: 3 }

/** The differences of a run of handler.mjs, with these changes. */
function of(ledger: Partial<Ledger>, options: Partial<RunOptions> = {}, mapping?: Mapping): string[] {
  return differencesOf(
    { ...new OpenLedger().snapshot({ queue: 0, deadLetter: 0 }), causes: {}, ...ledger } as Ledger,
    {
      queue: OWN,
      function: { file: 'handler.mjs' },
      mapping: {},
      ...options,
    },
    mapping,
  )
}

test('a run without failures of a .mjs file has no differences', async (t) => {
  t.strictSame(of({}), [])
})

test('a redelivery that was shortened before a dead letter, or that replaced a delay of the function', async (t) => {
  const shortened = { mapping: { retryAfter: 1 } }
  const dead = { deadLettered: 2, redelivered: 8 }
  t.strictSame(of({ redelivered: 2, failedInvocations: 1, causes: { 'Error: no': 2 } }, shortened), [])
  t.strictSame(of(dead, shortened), ['redelivered after 1 s instead of 180 s: see --retry-after off'])
  t.strictSame(of(dead), [], 'with --retry-after off')
  t.strictSame(of(dead, { mapping: { retryAfter: 180 } }), [])
  t.strictSame(of({ ...dead, redelivered: 0 }, shortened), [], 'a single delivery')
  t.strictSame(of({ ...dead, stoppedLoops: 2 }, shortened), [], 'only messages that came back too often')
  t.strictSame(of({ replacedTimeouts: 2 }, shortened), [
    'redelivered after 1 s instead of the delays that the function had set (2 times): see --retry-after off',
  ])
})

/** The differences of a run of a file with a mapping of a template. */
async function withMapping(t: Test, change: Change, options: Partial<RunOptions['function']> = {}, ledger = {}) {
  const { mappings } = await readSam(t, sam(change))
  const target = { file: 'handler.mjs', ...options }
  return of(ledger, { function: target }, mappings[0])
}
const node = `nodejs${process.versions.node.split('.')[0]}.x`

test('messages that the function sends to its own queue, unless the template allows loops', async (t) => {
  const line =
    'the function sent 3 messages to the queue that it reads. Lambda stops a message that comes back in this way about 16 times: it is dead-lettered, or lost without a dead-letter queue'
  t.strictSame(of({ sentByFunction: 3 }), [line])
  const sent = { sentByFunction: 3 }
  t.strictSame(await withMapping(t, { function: { Runtime: node, RecursiveLoop: 'Terminate' } }, {}, sent), [line])
  t.strictSame(await withMapping(t, { function: { Runtime: node, RecursiveLoop: 'Allow' } }, {}, sent), [])
})

test('another major version of Node than in the template', async (t) => {
  t.strictSame(await withMapping(t, { function: { Runtime: node } }), [])
  t.strictSame(await withMapping(t, { function: { Runtime: 'nodejs8.x' } }), [
    `this was Node ${process.versions.node.split('.')[0]}, but the Runtime is nodejs8.x`,
  ])
})

test('TypeScript differs from Lambda', async (t) => {
  t.strictSame(of({}, { function: { file: 'handler.mts' } }), [
    'Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
  ])
  t.strictSame(of({}, { function: { file: 'handler.mjs' } }), [])
})

test('another runtime client', async (t) => {
  t.strictSame(of({}, { function: { file: 'handler.mjs', runtimeClient: 'npx aws-lambda-ric' } }), [
    'with --runtime-client, memory, CPU time and work after the response are not checked',
  ])
})
