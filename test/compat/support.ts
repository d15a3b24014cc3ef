import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import middy7 from '@middy/core'
import type { Context } from 'aws-lambda'
import middy6 from 'middy-core-6'
import type { Test } from 'tap'
import { listen } from '../examples/support.ts'
import { timedContext } from '../support.ts'

/** Every major version of @middy/core that the package claims. Version 6 has other types, which say the same. */
export const cores = Object.entries({ '@middy/core 6': middy6 as unknown as typeof middy7, '@middy/core 7': middy7 })

/** A context with what Lambda gives a function, and 30 seconds to go. */
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

/** Calls `run` and returns the JSON objects that it printed to standard output, one a line, as Lambda's log takes them. */
export async function printed(run: () => unknown): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = []
  const { write } = process.stdout
  process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
    const text = String(chunk)
    if (!text.startsWith('{')) return write.call(process.stdout, chunk, ...rest)
    for (const line of text.trim().split('\n')) lines.push(JSON.parse(line))
    return true
  }) as typeof write
  try {
    await run()
  } finally {
    process.stdout.write = write
  }
  return lines
}

// DynamoDB's own protocol, in memory. It has no types.
const dynalite: (options: { createTableMs: number }) => Server = createRequire(import.meta.url)('dynalite')

/** Starts a DynamoDB with an empty table for Powertools Idempotency, and makes it that of every client in this process. */
export async function startIdempotencyTable(t: Test, TableName: string): Promise<void> {
  const server = dynalite({ createTableMs: 0 })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: await listen(server),
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  })
  const client = new DynamoDBClient({})
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  )
  await waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName })
}
