import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

export function numberOf(record) {
  return JSON.parse(record.body).number
}

/** Posts a record to the downstream, as the README's handler does. */
export async function post(record, { signal, headers = {} }) {
  const response = await fetch(process.env.DOWNSTREAM, { method: 'POST', body: record.body, headers, signal })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`downstream returned ${response.status}`)
}

const { RECORD_TIMEOUT } = process.env
const options = RECORD_TIMEOUT ? { recordTimeout: Number(RECORD_TIMEOUT) } : {}

/** BOUNDED_SQS_BATCH_CONCURRENCY sets the concurrency. */
export function bounded(handleRecord) {
  return middy().use(boundedSqsBatch(options)).handler(eachRecord(handleRecord))
}

export const handler = bounded((record, _context, { signal }) => post(record, { signal }))
