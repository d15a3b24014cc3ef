import { test } from 'tap'
import { causeOfError, ErrorCounter } from '../../src/shared/error-groups.ts'

/** The tests of the library check how errors are read and grouped. */
for (const [title, error, text] of [
  ['an error', new TypeError('no such item'), 'TypeError: no such item'],
  ['what is no error', undefined, 'thrown undefined: undefined'],
  [
    'the error, then its cause, then its inner errors',
    Object.assign(new AggregateError([{ code: 'EPIPE' }], 'x', { cause: { code: 'ENOTFOUND' } }), { code: 'EIO' }),
    'AggregateError: x (code EIO); caused by an object (code ENOTFOUND); caused by an object (code EPIPE)',
  ],
] as const) {
  test(`the text of ${title}`, async (t) => {
    t.equal(causeOfError(error).text, text)
  })
}

const letters = (index: number) => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))
const coded = (message: string, properties: object) => Object.assign(new Error(message), properties)

test('equal errors are counted together: messages may differ in numbers, but names, codes, statuses and causes may not', async (t) => {
  const counter = new ErrorCounter()
  const errors = [
    new Error('order 1'),
    new Error('order 2'),
    new TypeError('order 1'),
    coded('order 1', { code: 'EIO' }),
    coded('order 1', { status: 503 }),
    new Error('order 1', { cause: new Error('gone') }),
    new Error('order 1', { cause: new Error('slow') }),
  ]
  for (const error of errors) counter.add(causeOfError(error))
  t.strictSame(counter.counts(), {
    'Error: order 1': 2,
    'TypeError: order 1': 1,
    'Error: order 1 (code EIO)': 1,
    'Error: order 1 (status 503)': 1,
    'Error: order 1; caused by Error: gone': 1,
    'Error: order 1; caused by Error: slow': 1,
  })
})

test('ten groups stay apart', async (t) => {
  const counter = new ErrorCounter()
  for (let index = 0; index < 10; index++) counter.add(causeOfError(new Error(letters(index))))
  t.strictSame(Object.values(counter.counts()), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
})

test('the entry of several texts has the first of them as an example, and the last entry counts the rest', async (t) => {
  const counter = new ErrorCounter()
  for (let index = 0; index < 11; index++) counter.add(causeOfError(new Error(letters(index))), 2)
  for (let index = 0; index < 11; index++) counter.add(causeOfError({ name: letters(index) }))
  const counts = counter.counts()
  t.strictSame(Object.entries(counts)[0], ['Error: aa (one of 11 different messages)', 22])
  t.strictSame(Object.entries(counts).at(-1), ['others, in 2 more groups', 2])
  t.equal(Object.keys(counts).length, 11)
})

test('texts have the same groups: numbers may differ, but not names and statuses', async (t) => {
  const counter = new ErrorCounter()
  const texts = ['Error: x 1', 'Error: x 2', 'TypeError: x 1', 'Error: returned 503', 'Error: returned 404']
  for (const [index, text] of texts.entries()) counter.add(text, index + 1)
  t.strictSame(counter.counts(), {
    'Error: returned 404': 5,
    'Error: returned 503': 4,
    'Error: x 1': 3,
    'TypeError: x 1': 3,
  })
})

test('from the thousandth different text on, those of the same name are counted together', async (t) => {
  const counter = new ErrorCounter()
  for (let index = 0; index < 5000; index++)
    counter.add(causeOfError(new Error(`x${letters(index % 676)}${letters(Math.floor(index / 676))}`)))
  t.strictSame(Object.values(counter.counts()), [5000])
})
