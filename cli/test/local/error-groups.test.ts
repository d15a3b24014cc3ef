import { test } from 'tap'
import { groupErrors } from '../../../src/report/error-groups.ts'
import { Counter, causeOfError } from '../../src/local/simulator/causes.ts'

const unreadable = {
  get name() {
    throw new Error('no')
  },
}
for (const [title, error, text] of [
  ['an error', new TypeError('no such item'), 'TypeError: no such item'],
  ['an error without a message', new Error(''), 'Error'],
  ['an error whose message is not a text', { name: 'Error', message: 5 }, 'Error'],
  ['an object without a name', { message: 'gone' }, 'an object: gone'],
  ['an object whose name is empty', { name: '', message: 'gone' }, 'an object: gone'],
  ['an object whose name is not a text', { name: 5, message: 'gone' }, 'an object: gone'],
  ['an object without a name and a message', {}, 'an object'],
  ['a text', 'gone', 'thrown string: gone'],
  ['undefined', undefined, 'thrown undefined: undefined'],
  ['null', null, 'thrown object: null'],
  ['a function', Object, 'Object'],
  ['a message of several lines', new Error('a\n  b'), 'Error: a b'],
  ['a text of several lines', 'a\n\nb', 'thrown string: a b'],
  [
    'a code',
    Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' }),
    'Error: no connection (code ECONNREFUSED)',
  ],
  [
    'a code that the message has',
    Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' }),
    'Error: connect ETIMEDOUT',
  ],
  ['a code of Node or of the library', Object.assign(new Error('x'), { code: 'ERR_TIMEOUT' }), 'Error: x'],
  ['a code that contains ERR_', Object.assign(new Error('x'), { code: 'AN_ERR_X' }), 'Error: x (code AN_ERR_X)'],
  ['a code with digits', Object.assign(new Error('x'), { code: 'E2BIG' }), 'Error: x (code E2BIG)'],
  ['a code that is a number', Object.assign(new Error('x'), { code: 23_505 }), 'Error: x (code 23505)'],
  ['a code that is a list', Object.assign(new Error('x'), { code: ['EPIPE'] }), 'Error: x'],
  ['a code with lower-case letters', Object.assign(new Error('x'), { code: 'Enoent' }), 'Error: x'],
  ['a code that begins with a digit', Object.assign(new Error('x'), { code: '2BIG' }), 'Error: x (code 2BIG)'],
  ['a code that is a sentence', Object.assign(new Error('x'), { code: 'E BIG' }), 'Error: x'],
  [
    'a code of 41 characters',
    Object.assign(new Error('x'), { code: 'E'.repeat(41) }),
    `Error: x (code ${'E'.repeat(41)})`,
  ],
  ['a code of 42 characters', Object.assign(new Error('x'), { code: 'E'.repeat(42) }), 'Error: x'],
  ['a code of one character', Object.assign(new Error('x'), { code: 'E' }), 'Error: x'],
  [
    'a code of the cause',
    new Error('x', { cause: { code: 'ENOTFOUND' } }),
    'Error: x; caused by an object (code ENOTFOUND)',
  ],
  ['a cause that is null', new Error('x', { cause: null }), 'Error: x'],
  [
    'codes of inner errors',
    new AggregateError([{ code: 'EPIPE' }, { code: 'EIO' }], 'x'),
    'AggregateError: x; caused by an object (code EPIPE); caused by an object (code EIO)',
  ],
  ['inner errors that are no list', Object.assign(new Error('x'), { errors: { 0: { code: 'EPIPE' } } }), 'Error: x'],
  ['no inner errors', new AggregateError([], 'x'), 'AggregateError: x'],
  [
    'the error, then its cause, then its inner errors',
    Object.assign(new AggregateError([{ code: 'EPIPE' }], 'x', { cause: { code: 'ENOTFOUND' } }), { code: 'EIO' }),
    'AggregateError: x (code EIO); caused by an object (code ENOTFOUND); caused by an object (code EPIPE)',
  ],
  ['an object whose properties cannot be read', unreadable, 'an error that throws when it is read'],
] as const) {
  test(`the text of ${title}`, async (t) => {
    t.equal(causeOfError(error).text, text)
  })
}

/** The sizes of the groups in the log entry of the library, and here. Both list the largest first. */
function sizesOf(errors: readonly unknown[]) {
  const logged = groupErrors(errors.map((error, index) => ({ id: String(index), error, receiveCount: 1 })))
  const counter = new Counter()
  for (const error of errors) counter.add(causeOfError(error))
  const own = Object.values(counter.counts())
  const rest = logged.omittedRecords > 0 ? [logged.omittedRecords] : []
  return { own, library: [...logged.groups.map(({ count }) => count), ...rest] }
}

const coded = (message: string, properties: object) => Object.assign(new Error(message), properties)
const times = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
const letters = (index: number) => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))

const GROUPS: [title: string, errors: readonly unknown[], sizes: readonly number[]][] = [
  [
    'numbers, UUIDs and hexadecimal texts',
    [
      ...times(3, (index) => new Error(`order ${index} of ${index}.5`)),
      new Error('id abcdefab-abcd-abcd-abcd-abcdefabcdef'),
      new Error('id BBBBBBBB-cccc-dddd-eeee-ffffffffffff'),
      new Error('object deadbeef01'),
      new Error('object 0123456789abcdef'),
      new Error('object deadbeef0x'),
    ],
    [3, 2, 2, 1],
  ],
  ['the name', [new Error('x'), new TypeError('x'), new TypeError('x')], [2, 1]],
  [
    'the code',
    [coded('x', { code: 'EPIPE' }), coded('x', { code: 'EIO' }), coded('x', { code: 23_505 }), coded('x', {})],
    [1, 1, 1, 1],
  ],
  ['a code that only repeats the name', [coded('x', { code: 'ERR_TIMEOUT' }), coded('x', {})], [2]],
  [
    'the status',
    [
      coded('x', { status: 404 }),
      coded('x', { statusCode: 404 }),
      coded('x', { $metadata: { httpStatusCode: 404 } }),
      coded('x', { status: 503 }),
      coded('x', { status: 5 }),
    ],
    [3, 1, 1],
  ],
  [
    'the status in a message',
    [
      ...[503, 503, 404].map((status) => new Error(`downstream returned ${status}`)),
      ...[500, 502].map((status) => new Error(`HTTP/1.1 ${status}`)),
      ...[204, 205].map((status) => new Error(`HTTP/1.1 ${status}`)),
    ],
    [2, 2, 1, 1, 1],
  ],
  [
    'causes',
    [
      new Error('x', { cause: new Error('a 1') }),
      new Error('x', { cause: new Error('a 2') }),
      new Error('x', { cause: new Error('b') }),
      new Error('x', { cause: coded('a 1', { code: 'EIO' }) }),
      new AggregateError([new Error('a 1')], 'x'),
      new Error('x'),
      new Error('x', { cause: null }),
      new Error('x', {
        cause: new Error('y', { cause: new Error('z', { cause: new Error('w', { cause: new Error('1') }) }) }),
      }),
      new Error('x', {
        cause: new Error('y', { cause: new Error('z', { cause: new Error('w', { cause: new Error('v') }) }) }),
      }),
    ],
    [2, 2, 2, 1, 1, 1],
  ],
  [
    'what is no error',
    ['a 1', 'a 2', 5, 6, null, undefined, undefined, {}, { message: 'm' }, () => 1],
    [2, 2, 2, 2, 1, 1],
  ],
  ['an error that throws when it is read', [unreadable, unreadable, new Error('x')], [2, 1]],
  [
    'messages that differ after 400 characters',
    [new Error(`${'x'.repeat(400)}a`), new Error(`${'x'.repeat(400)}b`)],
    [2],
  ],
  ['ten different texts stay apart', times(10, (index) => new Error(letters(index))), times(10, () => 1)],
  [
    'eleven different texts of the same name become one',
    [...times(11, (index) => new Error(letters(index))), new TypeError('x')],
    [11, 1],
  ],
  [
    'of eleven names, one is among the rest',
    times(13, (index) => ({ name: letters(index) })),
    [...times(10, () => 1), 3],
  ],
]
for (const [title, errors, sizes] of GROUPS) {
  test(`the groups of errors are those of the library's log entry: ${title}`, async (t) => {
    const { own, library } = sizesOf(errors)
    t.strictSame(own, library)
    t.strictSame(own, sizes)
  })
}

test('the entry of several texts has the first of them as an example, and the last entry counts the rest', async (t) => {
  const counter = new Counter()
  for (let index = 0; index < 11; index++) counter.add(causeOfError(new Error(letters(index))), 2)
  for (let index = 0; index < 11; index++) counter.add(causeOfError({ name: letters(index) }))
  const counts = counter.counts()
  t.strictSame(Object.entries(counts)[0], ['Error: aa (one of 11 different messages)', 22])
  t.strictSame(Object.entries(counts).at(-1), ['others, in 2 more groups', 2])
  t.equal(Object.keys(counts).length, 11)
})

test('texts are grouped as well: by numbers, but not by codes and statuses', async (t) => {
  const counter = new Counter()
  const texts = [
    'Error: x 1 (code 23505)',
    'Error: x 2 (code 23505)',
    'Error: x 1 (code 11000)',
    'Error: returned 503',
    'Error: returned 404',
  ]
  for (const [index, text] of texts.entries()) counter.add(text, index + 1)
  t.strictSame(counter.counts(), {
    'Error: returned 404': 5,
    'Error: returned 503': 4,
    'Error: x 1 (code 23505)': 3,
    'Error: x 1 (code 11000)': 3,
  })
})

test('from the thousandth different text on, those of the same name are counted together', async (t) => {
  const counter = new Counter()
  for (let index = 0; index < 5000; index++)
    counter.add(causeOfError(new Error(`x${letters(index % 676)}${letters(Math.floor(index / 676))}`)))
  t.strictSame(Object.values(counter.counts()), [5000])
})
