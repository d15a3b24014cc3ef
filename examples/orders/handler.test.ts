import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import { invoke, sqsEvent } from 'middy-bounded-sqs-batch/testing'
import pg from 'pg'

process.env.DEAD_LETTER_QUEUE_URL = 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders-dead'
const { handler } = await import('./handler.ts')

test('stores a charged order, dead-letters a declined one, and retries what the service refused', async () => {
  const stored: unknown[] = []
  mock.method(pg.Pool.prototype, 'query', async (sql: string, [id]: string[]) => {
    if (sql.startsWith('INSERT')) stored.push(id)
    return { rowCount: 0 }
  })
  const statuses: Record<string, number> = { o1: 200, o2: 402, o3: 429 }
  mock.method(globalThis, 'fetch', async (_url: string, { body }: { body: string }) => {
    return new Response('', { status: statuses[JSON.parse(body).id] ?? 500, headers: { 'retry-after': '60' } })
  })
  const dead: unknown[] = []
  mock.method(SQSClient.prototype, 'send', async (command: SendMessageBatchCommand) => {
    const entries = command.input.Entries ?? []
    if (command instanceof SendMessageBatchCommand) dead.push(...entries.map(({ Id }) => Id))
    return { Successful: entries.map(({ Id }) => ({ Id })) }
  })
  const bodyOf = (id: string) => ({ Type: 'Notification', Message: JSON.stringify({ id, cents: 100 }) })
  const { failed } = await invoke(handler, sqsEvent(['o1', 'o2', 'o3'].map(bodyOf)))
  assert.deepEqual(stored, ['o1'])
  assert.equal(dead.length, 1)
  assert.deepEqual(
    failed.map(({ body }) => JSON.parse(JSON.parse(body).Message).id),
    ['o3'],
  )
})
