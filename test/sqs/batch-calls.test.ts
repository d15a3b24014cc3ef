import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { callInBatches, type Item, inBatches, MAX_BYTES } from '../../src/sqs/batch-calls.ts'
import type { Reasons } from '../../src/sqs/reasons.ts'
import { ids } from '../support/events.ts'

interface Entry {
  readonly name: string
}

function item(name: string, bytes = 0): Item<Entry> {
  return { entry: { name }, bytes }
}

function namesOf(items: readonly Item<Entry>[]): string {
  return items.map(({ entry }) => entry.name).join(' ')
}

/** Makes calls for these entries. Returns the names of the accepted entries, the reasons, and the names in each call. */
async function callFor(
  names: readonly string[],
  respond: (entries: readonly (Entry & { Id: string })[]) => unknown,
  signal = new AbortController().signal,
) {
  const calls: string[] = []
  const reasons: Reasons = new Map()
  async function send(entries: (Entry & { Id: string })[]) {
    calls.push(entries.map(({ Id, name }) => `${Id} ${name}`).join(', '))
    return respond(entries) as object
  }
  const accepted = await callInBatches(inBatches(names.map((name) => item(name))), send, { reasons, signal })
  return { accepted: Array.from(accepted, ({ entry }) => entry.name), refused: [...reasons], calls }
}

function acceptAll(entries: readonly { Id: string }[]) {
  return { Successful: entries.map(({ Id }) => ({ Id })) }
}

t.test('a batch has at most 10 entries and 1 MiB, and an entry that is too large has a batch of its own', async (t) => {
  const half = MAX_BYTES / 2
  const cases: [items: Item<Entry>[], batches: string[]][] = [
    [[], []],
    [ids(21).map((id) => item(id)), [ids(10).join(' '), ids(20).slice(10).join(' '), 'm20']],
    [
      [item('a', half), item('b', half), item('c', half)],
      ['a b', 'c'],
    ],
    [
      [item('a', half), item('b', half + 1), item('c', half - 1)],
      ['a', 'b c'],
    ],
    [
      [item('a', MAX_BYTES + 1), item('b', 1), item('c', MAX_BYTES)],
      ['a', 'b', 'c'],
    ],
  ]
  for (const [items, batches] of cases) t.strictSame([...inBatches(items)].map(namesOf), batches)
})

t.test('only entries that the response lists as successful, and not as failed, are accepted', async (t) => {
  const response = {
    Successful: [{ Id: '0' }, { Id: '1' }, { Id: '77' }, {}],
    Failed: [{ Id: '1', Code: 'B', Message: 'no' }, { Id: '88', Code: 'C' }, {}],
  }
  t.strictSame(await callFor(['a', 'b', 'c'], () => response), {
    accepted: ['a'],
    refused: [
      ['B: no', 1],
      ['the response of SQS does not mention this entry', 1],
    ],
    calls: ['0 a, 1 b, 2 c'],
  })
  t.strictSame(await callFor(['a'], () => ({})), {
    accepted: [],
    refused: [['the response of SQS does not mention this entry', 1]],
    calls: ['0 a'],
  })
})

t.test('at most ten calls are open at once, and each batch is sent once', async (t) => {
  const open: (() => void)[] = []
  const result = callFor(ids(111), (entries) => {
    const { promise, resolve } = Promise.withResolvers()
    open.push(() => resolve(acceptAll(entries)))
    return promise
  })
  const counts: number[] = []
  for (await setImmediate(); open.length > 0; await setImmediate()) {
    counts.push(open.length)
    for (const end of open.splice(0)) end()
  }
  t.strictSame(counts, [10, 2])
  const { accepted, calls } = await result
  t.strictSame(accepted.sort(), ids(111).sort())
  t.equal(calls.length, 12)
})

t.test(
  'a batch that is too long for SQS is sent in halves, and an entry that is too long alone is refused',
  async (t) => {
    const tooLong = Object.assign(new Error('too long'), { name: 'BatchRequestTooLong' })
    const result = await callFor(['a', 'b', 'c', 'd', 'e'], (entries) => {
      if (entries.some(({ name }) => name === 'b')) throw tooLong
      return acceptAll(entries)
    })
    t.strictSame(result, {
      accepted: ['a', 'c', 'd', 'e'],
      refused: [['BatchRequestTooLong: too long', 1]],
      calls: ['0 a, 1 b, 2 c, 3 d, 4 e', '0 a, 1 b, 2 c', '0 a, 1 b', '0 a', '0 b', '0 c', '0 d, 1 e'],
    })
  },
)

t.test('any other error refuses all entries of its call', async (t) => {
  const result = await callFor(ids(12), (entries) => {
    if (entries.length === 10) throw new RangeError('no')
    return acceptAll(entries)
  })
  t.strictSame(result.accepted, ['m10', 'm11'])
  t.strictSame(result.refused, [['RangeError: no', 10]])
})

t.test('after an abort, entries that SQS has not accepted are refused, and no further call is made', async (t) => {
  const controller = new AbortController()
  const result = callFor(
    ids(111),
    (entries) => (entries[0]?.name === 'm0' ? acceptAll(entries) : new Promise(() => {})),
    controller.signal,
  )
  await setImmediate()
  controller.abort()
  const { accepted, refused, calls } = await result
  t.strictSame(accepted, ids(10))
  t.strictSame(refused, [['no time was left', 101]])
  t.equal(calls.length, 11)

  const late = await callFor(ids(12), acceptAll, AbortSignal.abort())
  t.strictSame(late, { accepted: [], refused: [['no time was left', 12]], calls: [] })

  const after = new AbortController()
  t.strictSame((await callFor(['a'], acceptAll, after.signal)).accepted, ['a'])
  after.abort() // must not become an unhandled rejection
  await setImmediate()
})
