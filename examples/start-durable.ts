import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const FunctionName = process.env.DURABLE_FUNCTION
if (!FunctionName)
  throw new Error('DURABLE_FUNCTION is not set: it is the ARN of the durable function, with its version or alias')

/** Lambda's quota: how many durable executions an account can start per second. */
const perSecond = 300
/** How many invocations can run at once: `ScalingConfig.MaximumConcurrency` of the event source mapping. */
const instances = Number(process.env.MAXIMUM_CONCURRENCY ?? 2)

const client = new LambdaClient()

/**
 * Starts a durable execution for each message. A queue should not invoke a durable function itself: each delivery of a
 * message would start another execution. For each name, Lambda starts only one execution
 * (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
 *
 * The body must be JSON. The message is deleted when the execution has started. For executions that fail later, set a
 * dead-letter queue or an on-failure destination on the durable function.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      concurrency: 50, // an SDK client has 50 sockets by default
      rateLimit: { limit: Math.floor((0.9 * perSecond) / instances), interval: 1000 },
    }),
  )
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const invoke = new InvokeCommand({
        FunctionName,
        InvocationType: 'Event', // does not wait for the end of the execution
        // The name and the payload must be the same for each delivery. So the payload must not contain the receive
        // count or the receipt handle.
        DurableExecutionName: record.messageId,
        Payload: record.body,
      })
      await client.send(invoke, { abortSignal: signal })
    }),
  )
