// Deletes all messages of a batch, and ends the process before SQS has received the calls.
import { connect } from 'node:net'

const url = new URL(process.env.AWS_ENDPOINT_URL_SQS)
function send(handles) {
  const body = JSON.stringify({
    QueueUrl: `${url.href}000000000000/local`,
    Entries: handles.map((ReceiptHandle, n) => ({ Id: String(n), ReceiptHandle })),
  })
  const head = `POST / HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.DeleteMessageBatch\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return new Promise((resolve) => {
    const s = connect(Number(url.port), url.hostname, () => s.write(head + body, resolve))
  })
}
export const handler = async (event) => {
  const handles = event.Records.map(({ receiptHandle }) => receiptHandle)
  const calls = []
  for (let n = 0; n < handles.length; n += 10) calls.push(send(handles.slice(n, n + 10)))
  await Promise.all(calls)
  process.exit(1)
}
