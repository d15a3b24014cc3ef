// The function of local/runs/chaos.ts for messages that crash it and for outages: the recipe of the README. Its delays, and the
// outage, are a tenth of what they are on AWS. The journal is a file in which it notes what it does.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'
import { deadLetter, isolateCrashes, retryBackoff } from '../../../src/sqs/index.ts'
import { crash } from '../../../test/support/crash.ts'

const { JOURNAL, DEAD_LETTER_QUEUE_URL, ISOLATE_CRASHES, OUTAGE_SECONDS = 0 } = process.env
const journal = openSync(JOURNAL, 'a') // each write is appended as a whole, and the end of the process does not undo it
let outageEnd

function note(...words) {
  writeSync(journal, `${words.join(' ')}\n`)
}

const observe = {
  before({ event, context }) {
    outageEnd ??= performance.now() + 1000 * OUTAGE_SECONDS
    note('batch', context.awsRequestId, ...event.Records.map(({ body }) => JSON.parse(body).number))
  },
  after({ context }) {
    note('responded', context.awsRequestId)
  },
}

const client = new SQSClient({ requestHandler: { connectionTimeout: 1000 } })

const app = middy().use(observe)
if (ISOLATE_CRASHES) app.use(isolateCrashes({ client, spread: 60 }))
export const handler = app
  .use(
    boundedSqsBatch({
      logger: false,
      onFailure: [deadLetter({ client, queueUrl: DEAD_LETTER_QUEUE_URL }), retryBackoff({ client, base: 3, max: 90 })],
    }),
  )
  .handler(
    eachRecord(async ({ body, messageId }) => {
      const { number, fault } = JSON.parse(body)
      await sleep(2 + (number % 7))
      crash[fault]?.()
      if (performance.now() < outageEnd) throw new Error('the service is down')
      note('done', messageId, number)
    }),
  )
