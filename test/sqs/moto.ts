// `.ci/moto` observes the visibility timeouts that isolateCrashes() and retryBackoff() set on moto, an SQS that
// is independent of fauxqs.
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { isolateCrashes, retryBackoff } from '../../src/sqs/index.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { spawnMoto } from '../support/moto.ts'
import { logged } from '../support/output.ts'
import { createClient, REGION, toRecord } from '../support/sqs.ts'

/** Seconds. */
const TIMEOUT = 60
/** How long the test may take, in seconds. */
const MARGIN = 60

t.test('moto keeps the messages invisible for the delays of isolateCrashes() and retryBackoff()', async (t) => {
  const endpoint = await spawnMoto(t)
  const client = createClient(t, { endpoint })
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { VisibilityTimeout: '3600' } }),
  )
  const send = (MessageBody: string) => client.send(new SendMessageCommand({ QueueUrl, MessageBody }))
  async function receive(options: { VisibilityTimeout?: number } = {}) {
    const names = { AttributeNames: ['All'], MessageSystemAttributeNames: ['All'] } as const
    const input = { QueueUrl, MaxNumberOfMessages: 10, ...names, ...options }
    const { Messages = [] } = await client.send(new ReceiveMessageCommand(input as never))
    return Messages.map((message) => toRecord(message, `arn:aws:sqs:${REGION}:123456789012:orders`))
  }
  /** When each message becomes visible, in seconds from `start`, by its body. */
  async function visibleAfter(start: number): Promise<Record<string, number>> {
    const response = await fetch(`${endpoint}/moto-api/data.json`)
    const { sqs } = (await response.json()) as { sqs: { Message: { body: string; visible_at: number }[] } }
    // moto also lists the copies that it has made for responses, after the messages themselves.
    const messages = sqs.Message.toReversed()
    return Object.fromEntries(messages.map(({ body, visible_at }) => [body, (visible_at - start) / 1000]))
  }
  function isBetween(seconds: number | undefined, least: number, most: number, title: string): void {
    t.ok(seconds !== undefined && seconds >= least && seconds <= most, `${title}: ${seconds}`)
  }

  for (const body of ['succeeds', 'fails', 'asks']) await send(body)
  t.equal((await receive({ VisibilityTimeout: 0 })).length, 3)
  await send('is new')
  const Records = await receive()
  const start = Date.now()
  const counts = Records.map(({ body, attributes }) => `${body} ${attributes.ApproximateReceiveCount}`)
  t.strictSame(counts.sort(), ['asks 2', 'fails 2', 'is new 1', 'succeeds 2'])

  let atStart: Record<string, number> | undefined
  const delay = ({ error }: { error: unknown }) => ((error as Error).message === 'asks' ? 600 : undefined)
  const handler = middy()
    .use(isolateCrashes({ client }))
    .use(boundedSqsBatch({ onFailure: retryBackoff({ client, delay, jitter: 'none' }) }))
    .handler(
      eachRecord(async ({ body }) => {
        atStart ??= await visibleAfter(start)
        if (body !== 'succeeds') throw new Error(body)
      }),
    )
  const lines = await logged(async () =>
    t.equal(failed(await handler({ Records }, timedContext(1000 * TIMEOUT))).length, 3),
  )
  t.notMatch(lines.join('\n'), /did not confirm/)

  for (const body of ['succeeds', 'fails', 'asks']) {
    isBetween(atStart?.[body], TIMEOUT + 450 - 1, TIMEOUT + 900 + MARGIN, `${body}, when the handlers start`)
  }
  isBetween(atStart?.['is new'], 3600 - MARGIN, 3600, 'is new, when the handlers start')
  const atEnd = await visibleAfter(start)
  t.equal(atEnd.succeeds, atStart?.succeeds)
  isBetween(atEnd.fails, 60, 60 + MARGIN, 'fails, at the end')
  isBetween(atEnd.asks, 630, 630 + MARGIN, 'asks, at the end')
  isBetween(atEnd['is new'], 30, 30 + MARGIN, 'is new, at the end')
})
