import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { eventBridge, s3, sns } from '../../examples/event-envelopes.ts'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'
import { logged } from '../support/output.ts'

type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

/** What a handler prints for messages, and the ids that it reports. */
async function outcome(t: Test, handler: Handler, messages: readonly unknown[]) {
  const lines: unknown[][] = []
  const { log } = console
  console.log = (...parts) => void lines.push(parts)
  t.teardown(() => {
    console.log = log
  })
  const Records = messages.map((body, index) => sqsRecord(`m${index}`, { body: JSON.stringify(body) }))
  let reported: string[] = []
  await logged(async () => {
    reported = failed(await handler({ Records }, {} as Context))
  })
  return { lines, reported }
}

const order = { id: 'o1', amount: 3 }

t.test('event-envelopes.ts reads orders from SNS', async (t) => {
  const messages = [JSON.stringify(order), 'not JSON'].map((Message) => ({ Type: 'Notification', Message }))
  t.strictSame(await outcome(t, sns, messages), { lines: [['o1', 3]], reported: ['m1'] })
})

t.test('event-envelopes.ts reads orders from EventBridge', async (t) => {
  const messages = ['OrderPlaced', 'Other'].map((type) => ({ 'detail-type': type, detail: order }))
  t.strictSame(await outcome(t, eventBridge, messages), { lines: [['o1', 3]], reported: ['m1'] })
})

t.test('event-envelopes.ts reads keys from S3, and accepts its test message', async (t) => {
  const created = { eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'b' }, object: { key: 'a+b%2Fc' } } }
  const test = { Service: 'Amazon S3', Event: 's3:TestEvent' }
  t.strictSame(await outcome(t, s3, [{ Records: [created] }, 1, test]), { lines: [['b', 'a b/c']], reported: ['m1'] })
})
