// Passes on how long a service asks to wait in `Retry-After`, so that SQS redelivers the record after this time.
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'

/** `Retry-After` contains seconds or a date. */
function secondsOf(header: string | null): number | undefined {
  const value = header ?? ''
  const isNumber = /^\d+$/.test(value)
  const seconds = isNumber ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return seconds > 0 ? seconds : undefined // for NaN, too: no header, or no valid date
}

const client = new SQSClient({ requestHandler: { connectionTimeout: 1000 } })
const url = process.env.DOWNSTREAM_URL as string

class Refused extends Error {
  after: number | undefined
}

const onFailure = retryBackoff({
  client,
  delay: ({ error }) => (error instanceof Refused ? error.after : undefined),
})

export const handler = middy()
  .use(boundedSqsBatch({ onFailure }))
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, { method: 'POST', body: record.body, signal })
      await response.arrayBuffer() // an unread body keeps its socket open
      const { ok, status, headers } = response
      if (ok) return
      const error = new Refused(`downstream returned ${status}`)
      const isBusy = status === 429 || status === 503
      if (isBusy) error.after = secondsOf(headers.get('retry-after'))
      throw error
    }),
  )
