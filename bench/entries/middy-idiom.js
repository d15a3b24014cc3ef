import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'

export const handler = middy()
  .use(sqsPartialBatchFailure())
  .handler((event) => Promise.allSettled(event.Records.map(async () => {})))
