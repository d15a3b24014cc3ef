import { Agent, request } from 'node:http'
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import { bounded } from './post.mjs'

const agent = new Agent({ keepAlive: true }) // without a limit of sockets

function post({ body }) {
  return new Promise((resolve, reject) => {
    request(process.env.DOWNSTREAM, { method: 'POST', agent }, (response) =>
      response.resume().on('end', resolve).on('error', reject),
    )
      .on('error', reject)
      .end(body)
  })
}

export const ours = bounded(post)

export const middyIdiom = middy()
  .use(sqsPartialBatchFailure({ logger: () => {} }))
  .handler((event) => Promise.allSettled(event.Records.map(post)))

const processor = new BatchProcessor(EventType.SQS)
export function powertools(event, context) {
  return processPartialResponse(event, post, processor, { context, throwOnFullBatchFailure: false })
}
