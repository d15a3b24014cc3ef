import t from 'tap'
import { type ChunkHandler, eachChunk } from '../../src/index.ts'
import { ids, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, testContext } from '../support/handlers.ts'

t.test('chunks are consecutive records of the given size, and the last one holds the rest', async (t) => {
  const sizes: [size: number, ...chunks: string[]][] = [
    [1, 'm0', 'm1', 'm2', 'm3', 'm4'],
    [2, 'm0 m1', 'm2 m3', 'm4'],
    [4, 'm0 m1 m2 m3', 'm4'],
    [5, 'm0 m1 m2 m3 m4'],
    [25, 'm0 m1 m2 m3 m4'],
    [Number.MAX_SAFE_INTEGER, 'm0 m1 m2 m3 m4'],
  ]
  for (const [size, ...chunks] of sizes) {
    const got: string[] = []
    const handle = chunkHandlerOf(size, (records) => {
      got.push(records.map(({ messageId }) => messageId).join(' '))
    })
    t.strictSame(failed(await handle(standardEvent(...ids(5)))), [])
    t.strictSame(got, chunks, `size ${size}`)
  }
})

t.test('a handler gets the records of the event, the context and a signal', async (t) => {
  const event = standardEvent('a', 'b')
  const context = testContext()
  const calls: unknown[][] = []
  const handle = chunkHandlerOf(2, (...args) => {
    calls.push(args)
  })
  await handle(event, context)
  t.equal(calls.length, 1)
  const [records, given, options] = calls[0] as Parameters<ChunkHandler>
  t.strictSame([records[0] === event.Records[0], records[1] === event.Records[1], records.length], [true, true, 2])
  t.equal(given, context)
  t.strictSame(Object.keys(options), ['signal'])
  t.ok(options.signal instanceof AbortSignal)
})

t.test('eachChunk() without the middleware throws an error that says so', async (t) => {
  await t.rejects(eachChunk(2, () => {})(standardEvent('a'), testContext()), {
    name: 'TypeError',
    message: /eachChunk\(\).*Add \.use\(boundedSqsBatch\(\)\)/,
  })
})

t.test('an invalid argument is a TypeError that says what was expected and what was received', async (t) => {
  function handle() {}
  const bad: [args: unknown[], message: string][] = [
    [[], 'expected size to be a positive integer, got undefined'],
    [[0, handle], 'a positive integer, got 0'],
    [[-1, handle], 'a positive integer, got -1'],
    [[1.5, handle], 'a positive integer, got 1.5'],
    [[NaN, handle], 'a positive integer, got NaN'],
    [[Infinity, handle], 'a positive integer, got Infinity'],
    [[2 ** 53, handle], 'a positive integer, got 9007199254740992'],
    [['10', handle], 'a positive integer, got a string'],
    [[10n, handle], 'a positive integer, got a bigint'],
    [[null, handle], 'a positive integer, got null'],
    [[handle], 'a positive integer, got a function'],
    [[10], 'expected chunkHandler to be a function, got undefined'],
    [[10, { handle }], 'expected chunkHandler to be a function, got an object'],
    [[10, [handle]], 'expected chunkHandler to be a function, got an array'],
    [[10, function* () {}], 'expected chunkHandler to be a function, got a generator function'],
    [[10, handle, null], 'eachChunk(): expected an object of options, got null'],
    [[10, handle, 'json'], 'eachChunk(): expected an object of options, got a string'],
    [[10, handle, { bodies: 'json' }], 'eachChunk(): unknown option "bodies", expected one of body'],
    [
      [10, handle, { body: 'xml' }],
      'eachChunk(): expected option body to be \'json\' or a Standard Schema, got "xml" (a string)',
    ],
    [[10, handle, { body: {} }], "option body to be 'json' or a Standard Schema, got an object"],
  ]
  for (const [args, message] of bad) {
    t.throws(() => (eachChunk as (...args: unknown[]) => unknown)(...args), { name: 'TypeError', message })
  }
  t.type(eachChunk(1, handle, { body: undefined }), 'function')
})

t.test('the handler of eachChunk() may be called with only the event and the context', async (t) => {
  const inner = eachChunk(2, (records) => {
    if (records[0]?.messageId === 'a') throw new Error('a')
  })
  const handler = batchHandlerOf((event, context) => inner(event, context))
  t.strictSame(failed(await handler(standardEvent('a', 'b', 'c'), testContext())), ['a', 'b'])
})
