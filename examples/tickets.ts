import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, type FailureHandler } from 'middy-bounded-sqs-batch'

const url = process.env.TICKETS_URL ?? 'http://localhost:8080/tickets'

/** Opens a ticket for records that failed five times. If the ticket service fails, all records stay reported. */
const openTicket: FailureHandler = async (failures, { signal }) => {
  const hopeless = failures.filter(({ receiveCount }) => receiveCount >= 5)
  if (hopeless.length === 0) return failures
  const body = JSON.stringify(hopeless.map(({ record, error }) => ({ record, reason: String(error) })))
  const response = await fetch(url, { method: 'POST', body, signal })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`the ticket service returned ${response.status}`)
  return failures.filter((failure) => !hopeless.includes(failure))
}

export const handler = middy()
  .use(boundedSqsBatch({ onFailure: openTicket }))
  .handler(
    eachRecord(async ({ body }) => {
      if (body === '') throw new Error('empty')
    }),
  )
