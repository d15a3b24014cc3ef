import t from 'tap'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { useEndpoint } from '../support/services.ts'
import { startSqs } from '../support/sqs.ts'

t.test('sqs-forward.ts sends up to ten per call, and reports entries and calls that SQS refuses', async (t) => {
  const refused = ['m3', 'm17', 'm18', 'm44']
  const sqs = await startSqs(t, {
    entry: ({ Id }) => (refused.includes(Id) ? 'InternalError' : undefined),
    call: ({ input }) =>
      input.Entries[0].Id === 'm30' ? [400, 'QueueDeletedRecently', 'there is no such queue any more'] : undefined,
  })
  const { url } = sqs.queue('target')
  useEndpoint('SQS', sqs.endpoint)
  process.env.TARGET_QUEUE_URL = url
  const { handler } = await import('../../examples/sqs-forward.ts')

  let response = { batchItemFailures: [] }
  const log = await logged(async () => {
    response = await handler(standardEvent(...ids(45)), timedContext(LONG))
  })

  const ofRefusedCall = ids(40).slice(30)
  const expected = ids(45).filter((id) => refused.includes(id) || ofRefusedCall.includes(id))
  t.strictSame(failed(response), expected)
  t.strictSame(
    new Set(sqs.calls.map(({ input }) => input.Entries.map(({ Id }: { Id: string }) => Id))),
    new Set([0, 10, 20, 30, 40].map((first) => ids(45).slice(first, first + 10))),
  )
  const bodies = (await sqs.receiveAll(url)).map(({ Body }) => Body)
  const delivered = ids(45).filter((id) => !expected.includes(id))
  t.strictSame(bodies.toSorted(), delivered.map((id) => sqsRecord(id).body).toSorted())
  t.match(log[0], '14 of 45 records of orders failed')
  t.match(log[0], /10 × QueueDeletedRecently: there is no such queue any more \(status 400\) \[m30, m31, m32, …\]/)
  t.match(log[0], /4 × Error: SQS refused the entry: InternalError \[m3, m17, m18, …\]/)
})
