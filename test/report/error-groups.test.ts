import { randomUUID } from 'node:crypto'
import t from 'tap'
import { RecordBlockedError, RecordNotStartedError } from '../../src/index.ts'
import { type ErrorText, groupErrors, readError } from '../../src/report/error-groups.ts'
import { revoked, throwingOn, trapped } from '../support/hostile.ts'

/** The groups of records `m0`, `m1` … that failed for these reasons, with the name, message, code and status of each. */
function groupsOf(...errors: unknown[]) {
  const result = groupErrors(errors.map((error, index) => ({ id: `m${index}`, error, receiveCount: 1 })))
  const groups = result.groups.map(({ shown, ...group }) => {
    const [text, ...causes] = shown as [ErrorText, ...ErrorText[]]
    return { ...text, ...group, causes }
  })
  return { ...result, groups }
}

/** How many records each group has. */
function countsOf(...errors: unknown[]): number[] {
  return groupsOf(...errors).groups.map(({ count }) => count)
}

function withMessages(...messages: string[]): Error[] {
  return messages.map((message) => new Error(message))
}

/** An error with these properties. */
function withFields(fields: object, message = 'no', options: ErrorOptions = {}): Error {
  return Object.assign(new Error(message, options), fields)
}

const x = (count: number) => 'x'.repeat(count)
/** Names that have no digits: `aa`, `ab` … */
const words = (count: number) =>
  Array.from({ length: count }, (_, index) => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26)))

t.test('the largest group is first, and groups of one size are in the order of their first record', async (t) => {
  const errors = withMessages('b', 'c', 'a', 'a', 'c', 'd')
  t.strictSame(
    groupsOf(...errors).groups.map(({ message, count, ids }) => [message, count, ids]),
    [
      ['c', 2, ['m1', 'm4']],
      ['a', 2, ['m2', 'm3']],
      ['b', 1, ['m0']],
      ['d', 1, ['m5']],
    ],
  )
})

t.test('a group has the ids of its first three records, and their highest receive count', async (t) => {
  const failures = [3, 1, 14, 2].map((receiveCount, index) => ({ id: `m${index}`, error: 'no', receiveCount }))
  t.match(groupErrors(failures).groups, [{ count: 4, ids: ['m0', 'm1', 'm2'], receiveCount: 14, texts: 1 }])
})

const UUID = 'd9428888-122b-11e1-b85c-61cd3cbb3210'
for (const [what, ...messages] of [
  ['numbers', 'order 7 is late', 'order 12345 is late'],
  ['numbers with separators', 'took 1 ms', 'took 3.55 ms', 'took 1,000,000.25 ms'],
  ['numbers in words', 'm1', 'm22'],
  ['UUIDs', UUID, randomUUID(), randomUUID().toUpperCase(), 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'],
  ['hexadecimal texts with letters and digits', 'token ab01ab01 expired', 'token 01ABcdef987654 expired'],
  ['hexadecimal texts without digits', 'token abcdefab expired', 'token ffffffffff expired'],
  ['hexadecimal texts and numbers of eight digits', 'token 12345678 expired', 'token abcdefab expired'],
  ['hexadecimal texts of any length', `token ${'ab01'.repeat(190)}a`, `token ${'ab01'.repeat(180)}a`],
  ['what comes after 800 characters', `${x(800)}a`, `${x(800)}b`],
  ['what comes after 400 characters', `${x(400)}a`, `${x(400)}b`],
  ['numbers of other lengths before a long text', `order 7 ${x(500)}`, `order 12345 ${x(500)}`],
] as const) {
  t.test(`errors are of one group if they differ only in ${what}`, async (t) => {
    t.strictSame(countsOf(...withMessages(...messages)), [messages.length])
  })
}

for (const [what, ...messages] of [
  ['a number that one does not have', 'id', 'id7'],
  ['a separator without a number', 'took 1', 'took 1.'],
  ['words', 'customer acme is blocked', 'customer globex is blocked'],
  ['hexadecimal texts of seven characters', 'abcdefa', 'bcdefab'],
  ['hexadecimal texts in longer words', 'abcdefabz', 'bcdefabcz'],
  ['hexadecimal texts after a letter', 'zabcdefab', 'zbcdefabc'],
  ['UUIDs with a part too many', `${UUID}-abc`, `${UUID}-abd`],
  ['letters of which some are no hexadecimal digits', 'abcdefgh', 'bcdefgha'],
  ['the 400th character', `${x(399)}a`, `${x(399)}b`],
  ['the 400th character after long numbers', `${'9'.repeat(300)}${x(398)}a`, `${'9'.repeat(300)}${x(398)}b`],
] as const) {
  t.test(`errors are of two groups if they differ in ${what}`, async (t) => {
    t.strictSame(countsOf(...withMessages(...messages)), [1, 1])
  })
}

t.test('errors are of two groups if they differ in name, code, status or in a cause', async (t) => {
  const cause = (fields: object, message = 'no') => new Error('no', { cause: withFields(fields, message) })
  for (const [one, other] of [
    [new Error('no'), new TypeError('no')],
    [withFields({ code: 'EMFILE' }), withFields({ code: 'ENOENT' })],
    [withFields({ code: 5 }), new Error('no')],
    [withFields({ status: 503 }), withFields({ status: 429 })],
    [withFields({}, 'downstream returned 503'), withFields({}, 'downstream returned 429')],
    [new Error('no'), cause({})],
    [cause({}), cause({ name: 'OtherError' })],
    [cause({ code: 'EMFILE' }), cause({ code: 'ENOENT' })],
    [cause({}, 'one'), cause({}, 'two')],
    [cause({}, 'returned 503'), cause({}, 'returned 429')],
    [cause({ status: 503 }), cause({ status: 429 })],
    [new AggregateError([1, 2], 'no'), new AggregateError([1], 'no')],
  ]) {
    t.strictSame(countsOf(one, other, one), [2, 1])
  }
  t.strictSame(countsOf(cause({}, 'order 1'), cause({}, 'order 2')), [2])
  t.strictSame(countsOf(revoked(), new Error('no'), throwingOn(new Error(), 'message')), [2, 1])
})

t.test('a code is an integer, or one word of capital letters and digits that does not begin with ERR_', async (t) => {
  for (const code of [23505, 11000, -104, '23505', 'ECONNREFUSED', 'E_X', '2D', 'ERR', 'A'.repeat(41), 'AERR_X']) {
    t.equal(readError({ code }).code, code)
  }
  for (const code of [
    ...['ERR_INVALID_URL', 'some text', 'TWO WORDS', 'A', '', '_A', 'A'.repeat(42), 'A-B', 'Abc', 'a1', '\nAB', 'AB\n'],
    ...[1.5, NaN, Infinity, 2 ** 53, 5n, true, null, ['EMFILE'], { code: 5 }],
  ]) {
    t.equal(readError({ code }).code, undefined, String(code))
  }
})

t.test(
  'the status is the first that is valid: status, statusCode, $metadata.httpStatusCode, then the message',
  async (t) => {
    const $metadata = { httpStatusCode: 503 }
    const message = 'returned 504'
    for (const [fields, expected] of [
      [{ status: 501, statusCode: 502, $metadata, message }, 501],
      [{ status: '501', statusCode: 502, $metadata, message }, 502],
      [{ status: 501.5, statusCode: 99, $metadata, message }, 503],
      [{ status: 600, statusCode: NaN, $metadata: { httpStatusCode: 'x' }, message }, 504],
      [{ $metadata: null, message }, 504],
      [{ status: 100 }, 100],
      [{ status: 599 }, 599],
      [{}, undefined],
    ] as const) {
      t.equal(groupsOf(fields).groups[0]?.status, expected, JSON.stringify(fields))
    }
  },
)

t.test('a message has a status only after certain words, and from 400 to 599', async (t) => {
  for (const message of [
    ...['HTTP 503', 'http 503', 'HTTP/1.1 503', 'HTTP/2 503 x', 'HTTP: 503', 'status 503', 'Status: 503', 'status=503'],
    ...['status code 503', 'statusCode: 503', 'status_code=503', 'returned 503', 'it returned (503)', 'responded 503'],
    ...['responded with 503', 'response 503', 'bad response: 503.', `${x(187)} returned 503`],
  ]) {
    t.equal(groupsOf(new Error(message)).groups[0]?.status, 503, message)
  }
  for (const message of [
    ...[
      '503',
      'took 503 ms',
      'HTTP 200',
      'returned 399',
      'returned 600',
      'returned 5033',
      'returned 503a',
      'returned 50',
    ],
    ...[
      'returned503',
      'returned with 503',
      'returned     503',
      'unreturned 503',
      'HTTPS 503',
      'HTTP/1.11 503',
      'HTTP/x 503',
    ],
    ...['status codes 503', 'status  code 503', 'responded with a 503', `${x(188)} returned 503`],
  ]) {
    t.equal(groupsOf(new Error(message)).groups[0]?.status, undefined, message)
  }
})

/** The causes of a failed record, in one line each. */
function causesOf(error: unknown): string[] | undefined {
  return groupsOf(error).groups[0]?.causes.map(({ name, message, code, status }) =>
    [name, message, code, status].filter((part) => part !== undefined).join('|'),
  )
}

t.test('the causes are what `cause` and `errors` contain: each once, at most three, the nearest first', async (t) => {
  const chain = [5, 4, 3, 2, 1].reduce<Error | undefined>((cause, depth) => new Error(`${depth}`, { cause }), undefined)
  const circular = new Error('circular')
  circular.cause = new Error('second', { cause: circular })
  const same = new Error('same')
  const errors = (...errors: unknown[]) => new AggregateError(errors, 'all', { cause: 'first' })
  for (const [error, expected] of [
    [new Error('no'), []],
    [new Error('no', { cause: undefined }), []],
    [new Error('no', { cause: null }), []],
    [withFields({ errors: 'no list' }), []],
    [withFields({ errors: { 0: 'no list', length: 1 } }), []],
    [withFields({ errors: [] }), []],
    [new Error('no', { cause: 0 }), ['thrown number|0']],
    [new Error('no', { cause: '' }), ['thrown string|']],
    [new Error('no', { cause: 'EMFILE' }), ['thrown string|EMFILE']],
    [new Error('no', { cause: { code: 'EMFILE', status: 503 } }), ['an object||EMFILE|503']],
    [chain, ['Error|2', 'Error|3', 'Error|4']],
    [circular, ['Error|second']],
    [errors(same, null, same, 'dropped'), ['thrown string|first', 'Error|same']],
    [errors('a', 'b', 'c'), ['thrown string|first', 'thrown string|a', 'thrown string|b']],
    [new AggregateError([chain]), ['Error|1', 'Error|2', 'Error|3']],
    [new AggregateError(['a', 'b', 'c', 'd']), ['thrown string|a', 'thrown string|b', 'thrown string|c']],
    [new Error('no', { cause: errors('a', 'b') }), ['AggregateError|all', 'thrown string|first', 'thrown string|a']],
    [new Error('no', { cause: revoked() }), ['an error that throws when it is read|']],
  ] as const) {
    t.strictSame(causesOf(error), expected)
  }
})

const LETTERS = (index: number) => Array.from(index.toString(2), (bit) => 'xy'[Number(bit)]).join('')

t.test('statuses in messages also count if not all messages are compared, and those in causes, too', async (t) => {
  const causes = { 503: new Error('returned 503'), 429: new Error('returned 429') }
  const statusOf = (index: number) => (index % 3 === 0 ? 429 : 503)
  const longer = (index: number) => `${LETTERS(index)} ${'z'.repeat(350)}`
  const errors = Array.from({ length: 1_500 }, (_, index) =>
    index % 2 === 0
      ? new Error(longer(index), { cause: causes[statusOf(index)] })
      : new TypeError(`returned ${statusOf(index)} ${longer(index)}`),
  )
  const { groups, areAllCompared } = groupsOf(...errors)
  t.equal(areAllCompared, false)
  t.strictSame(
    groups.map(({ name, count, status, causes }) => [name, count, status ?? causes[0]?.status]),
    [
      ['TypeError', 500, 503],
      ['Error', 500, 503],
      ['Error', 250, 429],
      ['TypeError', 250, 429],
    ],
  )
})

t.test('after 1,000,000 characters of long messages, only names, codes and statuses of errors count', async (t) => {
  const longer = (index: number, length: number) =>
    `returned ${index % 2 === 0 ? 503 : 429} ${LETTERS(index)}`.padEnd(length)
  const countsFor = (count: number, length: number) => {
    const errors = Array.from({ length: count }, (_, index) => new Error(longer(index, length)))
    const { groups, areAllCompared } = groupsOf(...errors, withFields({ status: 500 }))
    return [areAllCompared, ...groups.map(({ count, status, texts }) => [count, status, texts])]
  }
  t.strictSame(countsFor(100, 10_000), [true, [50, 503, 50], [50, 429, 50], [1, 500, 1]])
  t.strictSame(countsFor(102, 10_000), [false, [50, 503, 50], [50, 429, 50], [2, undefined, 0], [1, 500, 0]])
  // 400 characters are not long. But after 501 groups, no messages are compared.
  t.strictSame(countsFor(499, 400), [true, [250, 503, 250], [249, 429, 249], [1, 500, 1]])
  t.strictSame(countsFor(6_000, 400), [false, [3_000, 503, 251], [3_000, 429, 250], [1, 500, 0]])
})

t.test('anything that was thrown has a name and a message', async (t) => {
  const read = (name: string, message = '', more: Partial<ErrorText> = {}) => ({
    name,
    message,
    code: undefined,
    status: undefined,
    ...more,
  })
  for (const [thrown, expected] of [
    ['a text', read('thrown string', 'a text')],
    ['', read('thrown string')],
    [undefined, read('thrown undefined', 'undefined')],
    [null, read('thrown object', 'null')],
    [Symbol('s'), read('thrown symbol', 'Symbol(s)')],
    [1n, read('thrown bigint', '1')],
    [x(2_000), read('thrown string', x(2_000))],
    [{}, read('an object')],
    [{ name: 5, message: 7 }, read('an object')],
    [{ name: '', message: 'no' }, read('an object', 'no')],
    [{ name: x(81), message: x(801) }, read(x(80), x(801))],
    [{ name: 'N', message: 'm', code: 'EX', status: 400 }, read('N', 'm', { code: 'EX', status: 400 })],
    [function named() {}, read('named')],
    [revoked(), read('an error that throws when it is read')],
    [trapped(), read('an error that throws when it is read')],
    ...(['name', 'message', 'code', 'status', 'statusCode', '$metadata', 'cause', 'errors'].map((key) => [
      throwingOn({}, key),
      read('an error that throws when it is read'),
    ]) as [unknown, ErrorText][]),
    [{ $metadata: throwingOn({}, 'httpStatusCode') }, read('an error that throws when it is read')],
  ] as const) {
    t.strictSame(readError(thrown), expected)
  }
})

t.test('records that were blocked or not started are not counted', async (t) => {
  const notStarted = new RecordNotStartedError()
  const {
    groups,
    areAllCompared: _,
    ...omitted
  } = groupsOf(notStarted, new Error('no'), new RecordBlockedError({}), notStarted)
  t.match(groups, [{ message: 'no', count: 1, ids: ['m1'] }])
  t.equal(groups.length, 1)
  t.strictSame(omitted, { omittedGroups: 0, omittedRecords: 0 })
})

t.test(
  'ten groups are not merged, and eleven become one for each name, code, status and names and codes of causes',
  async (t) => {
    const names = words(12)
    const blocked = (count: number) => names.slice(0, count).map((name) => new Error(`customer ${name} is blocked`))
    t.strictSame(countsOf(...blocked(10)), Array(10).fill(1))
    t.match(groupsOf(...blocked(12), new Error('customer aa is blocked')).groups, [
      { count: 13, message: 'customer aa is blocked', texts: 12, ids: ['m0', 'm12', 'm1'] },
    ])
    const { groups } = groupsOf(
      ...blocked(9),
      ...names.map((name) => new TypeError(name)),
      withFields({ code: 'EX' }, 'a'),
      withFields({ status: 503 }, 'a'),
      withFields({ status: 503 }, 'returned 503'),
      new Error('a', { cause: withFields({ code: 'EX' }, 'a') }),
      new Error('b', { cause: withFields({ code: 'EX' }, 'b') }),
      new Error('b', { cause: withFields({ code: 'EY' }, 'b') }),
      new Error('b', { cause: new TypeError('b') }),
    )
    t.strictSame(
      groups.map(({ name, code, status, count, texts, causes }) => [name, code, status, count, texts, causes.length]),
      [
        ['TypeError', undefined, undefined, 12, 12, 0],
        ['Error', undefined, undefined, 9, 9, 0],
        ['Error', undefined, 503, 2, 2, 0],
        ['Error', undefined, undefined, 2, 2, 1],
        ['Error', 'EX', undefined, 1, 1, 0],
        ['Error', undefined, undefined, 1, 1, 1],
        ['Error', undefined, undefined, 1, 1, 1],
      ],
    )
  },
)

t.test('a merged group has three ids and the highest receive count of its records', async (t) => {
  const failures = words(11).map((message, index) => ({
    id: `m${index}`,
    error: new Error(message),
    receiveCount: index === 5 ? 9 : 2,
  }))
  t.match(groupErrors(failures).groups, [{ count: 11, ids: ['m0', 'm1', 'm2'], receiveCount: 9 }])
  failures.splice(2, 0, ...Array.from({ length: 5 }, (_, index) => ({ ...failures[1], id: `n${index}` }) as never))
  t.match(groupErrors(failures).groups, [{ count: 16, ids: ['m0', 'm1', 'n0'], receiveCount: 9 }])
  t.equal(groupErrors(failures).groups[0]?.ids.length, 3)
})

t.test('what is left of more than ten groups after that is counted', async (t) => {
  const kinds = words(13).flatMap((name, index) =>
    Array.from({ length: 20 - index }, () => withFields({ name }, `message of ${name}`)),
  )
  const { groups, areAllCompared: _, ...omitted } = groupsOf(...kinds)
  t.strictSame(
    groups.map(({ name, count, texts }) => [name, count, texts]),
    words(10).map((name, index) => [name, 20 - index, 1]),
  )
  t.strictSame(omitted, { omittedGroups: 3, omittedRecords: 10 + 9 + 8 })
})

/** 780 characters, which count as 800. Those with the same word are of one group. */
const padded = (word: string, index: number) =>
  new Error(`${word}${x(400)}`.padEnd(780, String(index).padStart(4, '0')))
const manyPadded = (count: number, letters = 'abcdefghi') =>
  Array.from({ length: count }, (_, index) => padded(letters.charAt(index % letters.length), index))

t.test('messages are compared up to 300,000 characters, and at 20 more for each', async (t) => {
  const fit = manyPadded(375)
  t.match(groupsOf(...fit), { areAllCompared: true, groups: { length: 9 } })
  t.match(groupsOf(...manyPadded(375, 'abcdefghijk')).groups, [{ count: 375, texts: 11 }])
  t.equal(groupsOf(...fit, new Error('.')).areAllCompared, false)
  t.equal(groupsOf(...fit, new Error('.')).groups.length, 1)
  t.match(groupsOf(...fit, new Error('.'), new TypeError('no'), new Error('a new one')).groups, [
    { name: 'Error', count: 377 },
    { name: 'TypeError', count: 1 },
  ])
})

t.test('with more than 500 groups, no messages are compared', async (t) => {
  const named = (count: number) => Array.from({ length: count }, (_, index) => withFields({ name: `n${index}` }))
  t.equal(groupsOf(...named(501)).areAllCompared, true)
  t.equal(groupsOf(...named(502)).areAllCompared, false)
})

t.test('each of the first 100 different messages counts once', async (t) => {
  const known = manyPadded(100)
  t.equal(groupsOf(...known, ...Array(10).fill(known).flat()).groups.length, 9)
  const next = (times: number) => groupsOf(...known, ...known, ...Array.from({ length: times }, () => padded('a', 100)))
  t.equal(next(275).areAllCompared, true)
  t.equal(next(276).areAllCompared, false)
})

t.test(
  'the message with which the 300,000 characters are reached is compared, too, and its causes are read',
  async (t) => {
    const down = (index: number) => Object.assign(padded('a', index), { cause: new Error('returned 503') })
    const others = Array.from({ length: 372 }, (_, index) => padded('b', index))
    const known = new Error('returned 503') // its 12 characters were compared before
    const short = new Error(x(748))
    const { groups, areAllCompared } = groupsOf(known, short, ...others, down(0), down(1))
    t.equal(areAllCompared, true)
    t.match(
      groups.find(({ causes }) => causes.length > 0),
      { count: 2, causes: [{ status: 503 }] },
    )
  },
)
