import { threadId } from 'node:worker_threads'
import { bounded, post } from './post.mjs'

/** The message ids of each invocation, by its request id. */
const batches = new Map()

/** The request id of the current invocation, from the AsyncLocalStorage of AWS's runtime client. */
function requestId() {
  return globalThis.awslambda.InvokeStore.getRequestId()
}

const runBatch = bounded(async (record, context, { signal }) => {
  const invocation = requestId()
  const isOwn = () =>
    requestId() === invocation && context.awsRequestId === invocation && batches.get(invocation).has(record.messageId)
  const headers = { invocation, thread: `${process.pid}-${threadId}`, own: String(isOwn()) }
  await post(record, { signal, headers })
  if (!isOwn()) throw new Error('the record sees another invocation')
})

export async function handler(event, context) {
  batches.set(context.awsRequestId, new Set(event.Records.map(({ messageId }) => messageId)))
  await fetch(process.env.DOWNSTREAM) // responds when all invocations that run at once have begun
  return runBatch(event, context)
}
