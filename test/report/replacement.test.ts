import t from 'tap'
import { freezeResponse, readReplacement } from '../../src/report/response.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { record } from '../support/branded.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { listOf } from '../support/handlers.ts'
import { revoked, throwingOn, trapped, withLength } from '../support/hostile.ts'

const standard = checkSqsEvent(standardEvent('a', 'b', 'c', 'd'))

/** Whether a response is accepted for a batch in which the records with these ids failed. */
function accepts(response: unknown, batch: ReturnType<typeof checkSqsEvent>, ...failed: string[]): boolean {
  const failures = failed.map((id) => ({ index: record(batch.ids.indexOf(id)), reason: new Error(id) }))
  try {
    readReplacement(response, batch, failures)
    return true
  } catch (error) {
    t.match(error, {
      name: 'TypeError',
      message:
        'A middleware set a response without all failures of boundedSqsBatch(). Keep its batchItemFailures, and on a FIFO ' +
        'queue also add the later records of a group',
    })
    return false
  }
}

t.test('a response that replaces ours must list all failures, and may list other records of the batch', (t) => {
  const cases: [what: string, response: unknown, isAccepted: boolean][] = [
    ['the same failures', listOf('b', 'd'), true],
    ['in another order', listOf('d', 'b'), true],
    ['a failure twice', listOf('b', 'b', 'd'), true],
    ['another record added', listOf('b', 'c', 'd'), true],
    ['all records', listOf('a', 'b', 'c', 'd'), true],
    ['other properties added', { ...listOf('b', 'd'), seen: true }, true],
    ['other properties of an entry', { batchItemFailures: [{ itemIdentifier: 'b', why: 1 }, ...entries('d')] }, true],
    ['a proxy of the list', { batchItemFailures: new Proxy(entries('b', 'd'), {}) }, true],
    ['a failure missing', listOf('b'), false],
    ['another record in the place of a failure', listOf('b', 'c'), false],
    ['as many entries, one id twice', listOf('b', 'b'), false],
    ['an empty list', listOf(), false],
    ['an id that is not in the batch', listOf('b', 'd', 'z'), false],
    ['an empty id', listOf('b', 'd', ''), false],
    ['an id under another key', { batchItemFailures: [...entries('b'), { id: 'd' }] }, false],
    ['an id that is not a string', { batchItemFailures: [...entries('b'), { itemIdentifier: ['d'] }] }, false],
  ]
  for (const [what, response, isAccepted] of cases) t.equal(accepts(response, standard, 'b', 'd'), isAccepted, what)
  t.end()
})

t.test('without failures, any list of records of the batch is accepted', (t) => {
  t.equal(accepts(listOf(), standard), true)
  t.equal(accepts(listOf('a'), standard), true)
  t.equal(accepts(listOf('z'), standard), false)
  t.end()
})

t.test('what is not a list of failures is refused, even if nothing failed', (t) => {
  const cases: [what: string, response: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['a string', 'batchItemFailures'],
    ['an object', {}],
    ['another response', { statusCode: 200 }],
    ['a list that is undefined', { batchItemFailures: undefined }],
    ['a list that is an object', { batchItemFailures: { length: 0 } }],
    ['an array', []],
    ['settled results', standard.ids.map(() => ({ status: 'rejected', reason: 1 }))],
    ['a list of ids', { batchItemFailures: ['b', 'd'] }],
    ['entries that are not objects', { batchItemFailures: [null, undefined, 7] }],
    ['a hole', { batchItemFailures: new Array(1) }],
    ['a promise', Promise.resolve(listOf('b', 'd'))],
    ['a revoked proxy', revoked({})],
    ['a proxy that throws', trapped(listOf('b', 'd'))],
    ['a list that throws when it is read', throwingOn(listOf(), 'batchItemFailures')],
    ['a revoked list', { batchItemFailures: revoked([]) }],
    ['an entry that throws', { batchItemFailures: [throwingOn({}, 'itemIdentifier')] }],
    ['a list of length NaN', { batchItemFailures: withLength(entries('b', 'd'), NaN) }],
    ['a list of length -1', { batchItemFailures: withLength(entries('b', 'd'), -1) }],
  ]
  for (const [what, response] of cases) {
    t.equal(accepts(response, standard), false, `${what}, nothing failed`)
    t.equal(accepts(response, standard, 'b', 'd'), false, what)
  }
  const short = { batchItemFailures: withLength(entries('b', 'd'), 1) }
  t.equal(accepts(short, standard, 'b', 'd'), false, 'a list that claims to be shorter')
  t.end()
})

t.test('the ids of a replacement are in record order, each once', (t) => {
  const failures = [{ index: record(3), reason: 'd' }]
  t.strictSame(readReplacement(listOf('d', 'b', 'b'), standard, failures), ['b', 'd'])
  t.end()
})

t.test('two records with the same id need one entry', (t) => {
  const twice = checkSqsEvent(standardEvent('a', 'b', 'a'))
  const failures = [0, 2].map((index) => ({ index: record(index), reason: 'a' }))
  t.doesNotThrow(() => readReplacement(listOf('a'), twice, failures))
  t.doesNotThrow(() => readReplacement(listOf('a'), twice, failures.slice(1)))
  t.throws(() => readReplacement(listOf('b'), twice, failures.slice(1)), TypeError)
  t.end()
})

t.test('on a FIFO queue, the later records of the group of an added record must be listed, too', (t) => {
  const fifo = checkSqsEvent(fifoEvent('a1', 'b1', 'a2', 'b2', 'a3'))
  t.equal(accepts(listOf('b2'), fifo, 'b2'), true)
  t.equal(accepts(listOf('b2', 'a3'), fifo, 'b2'), true)
  t.equal(accepts(listOf('b2', 'a2', 'a3'), fifo, 'b2'), true)
  t.equal(accepts(listOf('b2', 'a2'), fifo, 'b2'), false, 'without a3')
  t.equal(accepts(listOf('b2', 'a1', 'a3'), fifo, 'b2'), false, 'without a2')
  t.equal(accepts(listOf('a2', 'a3'), fifo, 'b2'), false, 'without the failure')
  t.equal(accepts(listOf('b1', 'b2'), fifo, 'b2'), true)
  t.end()
})

t.test('a response is frozen with its list and the entries', (t) => {
  const response = listOf('a')
  t.equal(freezeResponse(response), response)
  t.ok(Object.isFrozen(response) && Object.isFrozen(response.batchItemFailures))
  t.ok(response.batchItemFailures.every((entry) => Object.isFrozen(entry)))
  t.end()
})

function entries(...ids: string[]) {
  return listOf(...ids).batchItemFailures
}
