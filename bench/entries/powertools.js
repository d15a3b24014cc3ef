import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import middy from '@middy/core'

const processor = new BatchProcessor(EventType.SQS)

export const handler = middy().handler((event, context) =>
  processPartialResponse(event, async () => {}, processor, { context }),
)
