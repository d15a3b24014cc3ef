// This file is never run. `npm run typecheck` makes declarations of it: each type that they need must have a name.
import type { SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { boundedSqsBatch, eachChunk, eachRecord } from '../../src/index.ts'
import { deadLetter, isolateCrashes, retryBackoff } from '../../src/sqs/index.ts'
import { invoke, sqsContext, sqsEvent } from '../../src/testing/index.ts'

declare const client: SQSClient

export const batch = boundedSqsBatch()
export const { before, after, onError } = batch
export const handleRecord = eachRecord(() => {}, { body: z.object({ id: z.string() }) })
export const handleChunk = eachChunk(10, async () => {}, { body: 'json' })
export const failureHandlers = [
  deadLetter({ client, queueUrl: 'https://sqs.example/1/dead' }),
  retryBackoff({ client }),
]
export const crashes = isolateCrashes({ client })
export const result = invoke(async () => 'response', sqsEvent(['a']))
export const context = sqsContext()
