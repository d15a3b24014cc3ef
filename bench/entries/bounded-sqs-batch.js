import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

export const handler = middy()
  .use(boundedSqsBatch())
  .handler(eachRecord(async () => {}))
