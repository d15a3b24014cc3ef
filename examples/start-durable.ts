import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const FunctionName = process.env.DURABLE_FUNCTION
if (!FunctionName)
  throw new Error('DURABLE_FUNCTION is not set: it is the ARN of the durable function, with its version or alias')

/** The quota of Lambda: how many durable executions an account can start in a second. */
const perSecond = 300
/** How many instances of this function there can be: `ScalingConfig.MaximumConcurrency` of the event source mapping. */
const instances = Number(process.env.MAXIMUM_CONCURRENCY ?? 2)

const client = new LambdaClient()

/**
 * Starts a durable execution for each message. A queue should not invoke a durable function itself: each delivery of a
 * message would start another execution. With a name, Lambda starts only one
 * (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
 *
 * The body must be JSON. The message is deleted when the execution has started, so set a dead-letter queue or an on-failure
 * destination on the durable function for executions that fail later.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      concurrency: 50, // the sockets of an SDK client
      rateLimit: { limit: Math.floor((0.9 * perSecond) / instances), interval: 1000 },
    }),
  )
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const invoke = new InvokeCommand({
        FunctionName,
        InvocationType: 'Event', // does not wait for the end of the execution
        // The name and the payload must be the same at each delivery, so the payload has no receive count or receipt handle.
        DurableExecutionName: record.messageId,
        Payload: record.body,
      })
      await client.send(invoke, { abortSignal: signal })
    }),
  )
