// `node --expose-gc log.ts '{"peer":…,"logs":…}'`: milliseconds of CPU time for a batch of failures with long texts. It
// collects garbage first: else chance decides whether this happens during the batch, which takes 10 to 30 ms.
import middy from '@middy/core'
import type { SQSRecord } from 'aws-lambda'
import { type BatchHandler, ourPackage } from '../peers.ts'
import { assertExact, context, measured, sqsEvent } from '../sqs-event.ts'

const HEXADECIMAL = 'ab01'.repeat(190)
const { peer, logs } = JSON.parse(process.argv[2] as string)
const { boundedSqsBatch, eachRecord } = await ourPackage(peer)
const ran: string[] = []

async function handle({ messageId }: SQSRecord) {
  ran.push(messageId)
  throw new Error(`the token ${ran.length.toString(16)}${HEXADECIMAL} is not valid`)
}

console.error = () => {}
const event = sqsEvent(6_900)
const handler: BatchHandler = middy()
  .use(boundedSqsBatch(logs ? {} : { logger: false }))
  .handler(eachRecord(handle))
globalThis.gc?.()
const { response, cpu } = await measured(() => handler(event, context))
assertExact(event, { ran, failed: ran }, response)
console.log(JSON.stringify(cpu))
