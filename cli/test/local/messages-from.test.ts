import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { iterateExport } from '../../src/local/messages-from.ts'
import { folder } from '../support/runs.ts'

function write(t: Test, name: string, text: string) {
  const file = join(folder(t), name)
  writeFileSync(file, text)
  return file
}

async function collect(file: string, name = 'default', fifo = false) {
  const messages = []
  for await (const message of await iterateExport(file, name, fifo)) messages.push(message)
  return messages
}

test('an array, a generator, an async generator and promises', async (t) => {
  const file = write(
    t,
    'g.ts',
    `export default ['text', { a: 1 }, { body: { b: 2 }, messageGroupId: 'g' }] as const
     export function* generator(): Generator<number> { yield 7 }
     export async function* asyncGenerator(): AsyncGenerator<string> { yield 'later' }
     export const promises = [1, 2].map(async (id) => ({ body: { id } }))
     export const dates = [new Date(0), Object.create(null)]`,
  )
  t.strictSame(await collect(file), [{ body: 'text' }, { body: '{"a":1}' }, { body: '{"b":2}', messageGroupId: 'g' }])
  t.strictSame(await collect(file, 'generator'), [{ body: '7' }])
  t.strictSame(await collect(file, 'asyncGenerator'), [{ body: 'later' }])
  t.strictSame(await collect(file, 'promises'), [{ body: '{"id":1}' }, { body: '{"id":2}' }])
  t.strictSame(await collect(file, 'dates'), [{ body: '"1970-01-01T00:00:00.000Z"' }, { body: '{}' }])
})

test('an error is one line with the number of the message', async (t) => {
  const file = write(
    t,
    'g.mjs',
    `export default function* () { yield 'x'; yield '' }
     export function* throws() { yield 'x'; throw new Error('no more') }
     export const text = 'abc'
     export const nothing = [undefined]
     export const noBody = [{ body: undefined }]
     export const rejected = function* () { yield Promise.reject(new Error('no more')) }
     export const rejectedEarly = () => {
       const second = new Promise((resolve, reject) => setImmediate(reject, new Error('no more')))
       return [new Promise((resolve) => setImmediate(setImmediate, resolve, 1)), second]
     }
     export const map = [new Map([[1, 2]])]
     export const promisedBody = [{ body: Promise.resolve(1) }]
     export const cycle = [{}]
     cycle[0].self = cycle
     export const throwsAtOnce = () => { throw new Error('no input') }
     export const nothingAtAll = null
     export const number = 5
     export const object = {}
     export const returnsNumber = () => 5`,
  )
  const fails = async (name: string, message: string) => t.rejects(collect(file, name), { name: 'UsageError', message })
  await fails('default', `--messages-from: message 2 of ${file} has an empty body, which SQS rejects`)
  await fails('throws', `--messages-from: message 2 of ${file}: Error: no more`)
  await fails('nothing', `--messages-from: message 1 of ${file} is undefined, which JSON cannot represent`)
  await fails(
    'noBody',
    `--messages-from: message 1 of ${file} has a body that is undefined, which JSON cannot represent`,
  )
  await fails('rejected', `--messages-from: message 1 of ${file}: Error: no more`)
  const unhandled: unknown[] = []
  const add = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', add)
  await fails('rejectedEarly', `--messages-from: message 2 of ${file}: Error: no more`)
  process.off('unhandledRejection', add)
  t.strictSame(unhandled, [], 'Node would end the process')
  await fails('map', `--messages-from: message 1 of ${file} is an object, which JSON cannot represent`)
  await fails(
    'promisedBody',
    `--messages-from: message 1 of ${file} has a body that is an object, which JSON cannot represent`,
  )
  await fails('cycle', `--messages-from: message 1 of ${file} is an object, which JSON cannot represent`)
  const expected = 'Expected an iterable, an async iterable, or a function that returns one'
  await fails('text', `--messages-from: the export text of ${file} is a string. ${expected}`)
  await fails('missing', `--messages-from: the export missing of ${file} is missing. ${expected}`)
  await fails('nothingAtAll', `--messages-from: the export nothingAtAll of ${file} is null. ${expected}`)
  await fails('number', `--messages-from: the export number of ${file} is a number. ${expected}`)
  await fails('object', `--messages-from: the export object of ${file} is an object. ${expected}`)
  await fails('returnsNumber', `--messages-from: the export returnsNumber of ${file} is a number. ${expected}`)
  await fails('throwsAtOnce', `--messages-from: throwsAtOnce of ${file}: Error: no input`)
  const broken = write(t, 'broken.mjs', `throw new Error('cannot load')`)
  await t.rejects(collect(broken), {
    name: 'UsageError',
    message: `--messages-from: ${broken} could not be loaded: Error: cannot load`,
  })
  await t.rejects(iterateExport('nope.mjs', 'default', false), {
    message: '--messages-from: there is no file nope.mjs',
  })
})

test('items are taken one at a time, and a FIFO queue requires a group', async (t) => {
  const file = write(
    t,
    'g.mjs',
    `export const taken = []
     export default function* () { for (const n of [1, 2, 3]) { taken.push(n); yield { body: String(n), messageGroupId: 'g' } } }
     export const withoutGroup = [{ body: '1', messageGroupId: 'g' }, '2']`,
  )
  const { taken } = await import(file)
  const messages = (await iterateExport(file, 'default', true))[Symbol.asyncIterator]()
  t.strictSame(taken, [])
  t.strictSame(await messages.next(), { done: false, value: { body: '1', messageGroupId: 'g' } })
  t.strictSame(taken, [1])
  await t.rejects(collect(file, 'withoutGroup', true), {
    message: `--messages-from: message 2 of ${file} has no messageGroupId, which a FIFO queue requires`,
  })
})
