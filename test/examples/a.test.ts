import t from 'tap'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
t.equal(1,1)
const h = middy().use(boundedSqsBatch({concurrency: 3})).handler(eachRecord(async () => {}))
t.strictSame(await h({Records:[{messageId:'1'}]} as never, {} as never), { batchItemFailures: [] })
