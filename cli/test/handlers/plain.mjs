// Handlers without the library, as people write them.
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { note, numberOf } from './notes.ts'

/** Every fifth number fails, always. */
const fails = (record) => numberOf(record) % 5 === 0
const listOf = (records) => records.filter(fails).map(({ messageId }) => ({ itemIdentifier: messageId }))

export async function misspelt({ Records }) {
  return { batchItemsFailures: listOf(Records) }
}

export async function wrapped({ Records }) {
  return { statusCode: 200, body: JSON.stringify({ batchItemFailures: listOf(Records) }) }
}

/** Throws for the whole batch. */
export async function throws({ Records }) {
  if (Records.some(fails)) throw new Error('no stock')
}

/** Without a promise. */
export function synchronous({ Records }) {
  return { batchItemFailures: listOf(Records) }
}

/** Passes the list to the callback, which is not among its declared parameters. */
export function calledBack({ Records }, _context, ...[callback]) {
  callback(null, { batchItemFailures: listOf(Records) })
}

/** A thenable that is no Promise. */
export function thenable({ Records }) {
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested
  return { then: (resolve) => resolve({ batchItemFailures: listOf(Records) }) }
}

export async function firstThree({ Records }) {
  for (const record of Records.slice(0, 3)) note(numberOf(record))
}

export async function firstOnly(event) {
  console.log(event)
  note(numberOf(event.Records[0]))
}

export async function readsNothing({ Records }) {
  note(Records.length)
}

/** Reports what it has not read. */
export async function reportsRest({ Records: [first, ...rest] }) {
  note(numberOf(first))
  if (first.attributes.ApproximateReceiveCount === '1')
    return { batchItemFailures: rest.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  for (const record of rest) note(numberOf(record))
}

/** Says whether its event looks like the same event that was parsed from JSON. */
export async function inspects(event) {
  const { inspect, isDeepStrictEqual } = await import('node:util')
  const logged = inspect(event, { depth: 9 })
  const text = JSON.stringify(event)
  const plain = JSON.parse(text)
  const [record] = event.Records
  const seen = {
    logged: logged === inspect(plain, { depth: 9 }),
    loggedShort: inspect(event) === inspect(plain),
    equal: isDeepStrictEqual(event, plain),
    cloned: inspect(structuredClone(event), { depth: 9 }) === logged,
    spread: inspect({ ...record }) === inspect(plain.Records[0]),
    keys: Object.keys(record).join() === Object.keys(plain.Records[0]).join(),
  }
  record.body = 'changed'
  seen.changed = record.body === 'changed' && JSON.parse(JSON.stringify(record)).body === 'changed'
  seen.loggedChange = inspect(record).includes("body: 'changed'")
  delete record.attributes
  seen.deleted = !('attributes' in record)
  Object.freeze(record)
  try {
    record.messageId = 'x'
    seen.frozen = false
  } catch (error) {
    seen.frozen = error instanceof TypeError && Object.isFrozen(record)
  }
  note(seen)
}

export async function exits() {
  process.exit(13)
}

export const neverSettles = () => new Promise(() => {})

export async function trace({ Records: [record] }) {
  note([process.env._X_AMZN_TRACE_ID, record.attributes.AWSTraceHeader])
}

const sqs = new SQSClient()
const send = (MessageBody) =>
  sqs.send(new SendMessageCommand({ QueueUrl: `${process.env.AWS_ENDPOINT_URL_SQS}/000000000000/local`, MessageBody }))

/** "Retries" by sending the message again, for ever or as often as ROUNDS says. */
export async function sendsAgain({ Records }) {
  for (const { body } of Records) {
    const { number, round = 0 } = JSON.parse(body)
    if (round < Number(process.env.ROUNDS ?? Number.POSITIVE_INFINITY))
      await send(JSON.stringify({ number, round: round + 1 }))
  }
}

/** Fails all records, and delays the first one by 3 s. */
export async function delays({ Records }) {
  const [{ receiptHandle }] = Records
  const QueueUrl = `${process.env.AWS_ENDPOINT_URL_SQS}/000000000000/local.fifo`
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: 3 }))
  return { batchItemFailures: Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}
