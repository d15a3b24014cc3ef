import t from 'tap'
import { invoke, sqsEvent } from '../../src/testing/index.ts'
import { ids } from '../support/events.ts'
import { LONG } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDynamoDb, startPartialDynamoDb, startServer } from '../support/services.ts'
import { summaries } from '../support/tracing.ts'

t.test(
  'enrich-then-write.ts writes the orders of a chunk whose lookups succeeded, and reports the others',
  async (t) => {
    const PROFILES_URL = await startServer(t, (request, response) => {
      const customer = String(request.url).slice(1)
      if (customer === 'c3') response.writeHead(404).end('{}')
      else response.end(customer === 'c7' ? '{"name":"no country"}' : JSON.stringify({ country: `of ${customer}` }))
    })
    const { unprocessed, refused, sizes, written } = await startPartialDynamoDb(t, 'orders', 'orderId')
    unprocessed.add('o55')
    refused.add('o30')
    Object.assign(process.env, { PROFILES_URL, TABLE_NAME: 'orders' })
    const { handler } = await import('../../examples/enrich-then-write.ts')

    const bodies = ids(60).map((messageId, index) => ({
      messageId,
      body: { orderId: `o${index}`, customer: `c${index}` },
    }))
    const event = sqsEvent([...bodies, { messageId: 'm60', body: { orderId: 'o56', customer: 'c56' } }]) // o56 twice
    let failed: string[] = []
    const [log = ''] = await logged(async () => {
      failed = (await invoke(handler, event, { timeout: LONG })).failed.map(({ messageId }) => messageId)
    })
    const chunkOf30 = ids(50).slice(25)
    t.strictSame(failed, ['m3', 'm7', ...chunkOf30, 'm55'])
    const unwritten = new Set([...failed].map((id) => id.replace('m', 'o')))
    const all = ids(60).map((_, index) => [`o${index}`, `of c${index}`] as const)
    t.strictSame(await written('country'), Object.fromEntries(all.filter(([orderId]) => !unwritten.has(orderId))))
    t.strictSame(
      sizes.sort((a, b) => a - b),
      [10, 23, 25],
    )
    t.match(log, /25 × ResourceNotFoundException: no table \(status 400\) \[m25, m26, m27, …\]/)
    t.match(log, /1 × Error: the profile service returned 404 \[m3\]/)
    t.match(log, /1 × ZodError: .*\[m7\]/s)
    t.match(log, /1 × Error: DynamoDB did not write the order \[m55\]/)

    unprocessed.clear()
    refused.clear()
    const again = { Records: event.Records.filter(({ messageId }) => failed.includes(messageId)) }
    await logged(async () => {
      const result = await invoke(handler, again, { timeout: LONG })
      t.strictSame(
        result.failed.map(({ messageId }) => messageId),
        ['m3', 'm7'],
      )
    })
    t.strictSame(
      await written('country'),
      Object.fromEntries(all.filter(([orderId]) => orderId !== 'o3' && orderId !== 'o7')),
    )

    const calls = sizes.length
    const withoutProfile = {
      Records: event.Records.filter(({ messageId }) => messageId === 'm3' || messageId === 'm7'),
    }
    await logged(async () =>
      t.strictSame((await invoke(handler, withoutProfile, { timeout: LONG })).failed, withoutProfile.Records),
    )
    t.equal(sizes.length, calls, 'without items, DynamoDB is not called')
  },
)

t.test('enrich-then-write.ts has at most 100 lookups in flight', async (t) => {
  const hundred = barrier(100)
  let inFlight = 0
  let peakInFlight = 0
  const PROFILES_URL = await startServer(t, async (_request, response) => {
    peakInFlight = Math.max(peakInFlight, ++inFlight)
    await hundred() // with fewer than 100 in flight, this would wait for ever
    response.end('{"country":"Peru"}', () => inFlight--)
  })
  await startDynamoDb(t, 'orders', 'orderId')
  Object.assign(process.env, { PROFILES_URL, TABLE_NAME: 'orders' })
  const { handler } = await import(`../../examples/enrich-then-write.ts?${'bound'}`)
  const noted = summaries(t)
  const event = sqsEvent(Array.from({ length: 130 }, (_, index) => ({ orderId: `o${index}`, customer: 'c' })))
  t.strictSame((await invoke(handler, event, { timeout: LONG })).failed, [])
  t.equal(peakInFlight, 100)
  t.equal([...noted.values()][0]?.peakInFlight, 4, 'chunks of 25')
})
