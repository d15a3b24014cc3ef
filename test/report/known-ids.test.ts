import t from 'tap'
import { mergeReported, readKnownIds } from '../../src/report/response.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { standardEvent } from '../support/events.ts'
import { listOf } from '../support/handlers.ts'
import { revoked } from '../support/hostile.ts'

const batch = checkSqsEvent(standardEvent('a', 'b', 'c'))

t.test('if a response is refused, its ids that belong to the batch still count as failed', (t) => {
  const [a, c] = [{ itemIdentifier: 'a' }, { itemIdentifier: 'c' }]
  const cases: [what: string, response: unknown, indices: number[]][] = [
    ['undefined', undefined, []],
    ['an object', {}, []],
    ['a list that is an object', { batchItemFailures: { 0: a } }, []],
    ['an unknown id', listOf('c', 'z', 'a'), [0, 2]],
    ['entries that are not objects', { batchItemFailures: [null, undefined, 7, a] }, [0]],
    ['an id under another key', { batchItemFailures: [{ id: 'b' }, c] }, [2]],
    ['an object that throws when it is read', revoked({}), []],
  ]
  for (const [what, response, indices] of cases) {
    t.strictSame(
      readKnownIds(response, batch).map(({ index }) => index),
      indices,
      what,
    )
  }
  t.end()
})

t.test('a record keeps the error that is already known, also if its id occurs twice in the batch', (t) => {
  const twice = checkSqsEvent(standardEvent('a', 'b', 'a'))
  const known = [{ index: 2, reason: 'known' }]
  const reported = [0, 1, 2].map((index) => ({ index, reason: 'reported' }))
  t.strictSame(mergeReported(twice, known, reported), [
    { index: 1, reason: 'reported' },
    { index: 2, reason: 'known' },
  ])
  t.end()
})
