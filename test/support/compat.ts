import type { Context } from 'aws-lambda'
import { boundedSqsBatch } from '../../src/index.ts'
import { timedContext } from './handlers.ts'

/** The middleware of this package, without a log. */
export function ours() {
  return boundedSqsBatch({ logger: false })
}

/** A context with the properties that Lambda provides. 30 seconds remain. */
export function lambdaContext(): Context {
  return {
    ...timedContext(30_000),
    awsRequestId: 'request-1',
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'orders-worker',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:orders-worker',
    logGroupName: '/aws/lambda/orders-worker',
    logStreamName: '2025/11/25/[$LATEST]0',
    memoryLimitInMB: '512',
  }
}

/** Calls `run` and returns the JSON objects that it printed, one per line. */
export async function printed(run: () => unknown): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = []
  const streams = [process.stdout, process.stderr].map((stream) => [stream, stream.write] as const)
  for (const [stream, write] of streams) {
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      const text = String(chunk)
      if (!text.startsWith('{')) return write.call(stream, chunk, ...rest)
      for (const line of text.trim().split('\n')) lines.push(JSON.parse(line))
      return true
    }) as typeof write
  }
  try {
    await run()
  } finally {
    for (const [stream, write] of streams) stream.write = write
  }
  return lines
}
