import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Message, ReceiveMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import type { Context, SQSRecord } from 'aws-lambda'
import { startFauxqs } from 'fauxqs'
import type { Test } from 'tap'
import type { FailureRequest, RecordFailure } from '../../src/index.ts'
import { sqsRecord } from './events.ts'

export const REGION = 'eu-west-1'

/** A call that SQS received: its operation (`SendMessageBatch`) and its input. */
export interface Call {
  readonly operation: string
  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own
  readonly input: any
}

interface Entry extends Record<string, unknown> {
  readonly Id: string
}

export type Reply = readonly [status: number, code: string, message?: string]

type Fault = Reply | 'hang' | 'reset' | 'twice'

/** How SQS fails in a test. */
export interface Faults {
  /**
   * The response to a call that is then not passed on to SQS, 'hang' for no response, or 'reset' for a closed connection.
   * With 'twice', SQS receives the call twice.
   */
  call?(call: Call): Fault | undefined | Promise<Fault | undefined>
  /** The code with which an entry is refused. The rest of its call is passed on. */
  entry?(entry: Entry, call: Call): string | undefined
  /** Changes the response of SQS. With 'reset', the response is lost. */
  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own
  respond?(response: any, call: Call): unknown
}

/** Starts a proxy for an SQS at this address. It notes each call and produces the faults. */
export async function startProxy(t: Test, target: string, faults: Faults = {}) {
  const calls: Call[] = []
  let abandoned = 0
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableEnded) abandoned++
    })
    return respond(target, faults, calls, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    endpoint,
    /** All calls, in the order of their arrival. */
    calls,
    /** How many calls the client has aborted. */
    abandoned: () => abandoned,
    client: (config: SQSClientConfig = {}) => createClient(t, { endpoint, ...config }),
  }
}

/** Starts SQS with its wire protocol on loopback, behind a proxy. */
export async function startSqs(t: Test, faults?: Faults) {
  const fauxqs = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION })
  t.teardown(() => fauxqs.stop())
  const proxy = await startProxy(t, fauxqs.address, faults)
  const { endpoint } = proxy
  return {
    ...proxy,
    fauxqs,
    /** Creates a queue. Returns its URL and the ARN of its records. */
    queue(name: string, attributes: Record<string, string> = {}) {
      fauxqs.createQueue(name, { region: REGION, attributes })
      return { url: `${endpoint}/000000000000/${name}`, arn: `arn:aws:sqs:${REGION}:000000000000:${name}` }
    },
    /** Receives every visible message of a queue with all attributes. They stay in flight. */
    async receiveAll(queueUrl: string): Promise<Message[]> {
      const client = createClient(t, { endpoint: fauxqs.address })
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      })
      const messages: Message[] = []
      for (;;) {
        const { Messages = [] } = await client.send(command)
        if (Messages.length === 0) return messages
        messages.push(...Messages)
      }
    },
  }
}

async function respond(
  target: string,
  faults: Faults,
  calls: Call[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const input = JSON.parse(await text(request))
  const { host: _host, 'content-length': _length, ...headers } = request.headers as Record<string, string>
  const call: Call = { operation: String(headers['x-amz-target']).replace('AmazonSQS.', ''), input }
  calls.push(call)
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))

  const reply = await faults.call?.(call)
  if (reply === 'hang') return
  if (reply === 'reset') {
    request.socket.destroy()
    return
  }
  if (reply && reply !== 'twice') {
    const [status, code, message = ''] = reply
    send(status, { __type: `com.amazonaws.sqs#${code}`, message })
    return
  }
  const entries: Entry[] = input.Entries ?? []
  const Failed = entries.flatMap((entry) => {
    const Code = faults.entry?.(entry, call)
    return Code ? [{ Id: entry.Id, Code, Message: 'try again', SenderFault: false }] : []
  })
  const Entries = entries.filter(({ Id }) => !Failed.some((refused) => refused.Id === Id))
  if (entries.length > 0 && Entries.length === 0) {
    send(200, { Failed })
    return
  }
  const body = JSON.stringify(entries.length > 0 ? { ...input, Entries } : input)
  const forward = () => fetch(target, { method: 'POST', headers, body })
  if (reply === 'twice') await (await forward()).text()
  const forwarded = await forward().catch(() => undefined)
  if (!forwarded) return // SQS has been stopped while it waited for messages
  const result = (await forwarded.json()) as { Failed?: unknown[] }
  if (Failed.length > 0) result.Failed = [...(result.Failed ?? []), ...Failed]
  const changed = faults.respond ? await faults.respond(result, call) : result
  if (changed === 'reset') request.socket.destroy()
  else send(forwarded.status, changed)
}

export function createClient(t: Test, config: SQSClientConfig): SQSClient {
  const client = new SQSClient({
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    ...config,
  })
  t.teardown(() => client.destroy())
  return client
}

/** The record that Lambda makes from a message. */
export function toRecord(message: Message, queueArn: string): SQSRecord {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, { DataType, StringValue }]) => [
    name,
    { dataType: DataType, stringValue: StringValue },
  ])
  return {
    messageId: message.MessageId as string,
    receiptHandle: message.ReceiptHandle as string,
    body: message.Body as string,
    attributes: message.Attributes as unknown as SQSRecord['attributes'],
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: message.MD5OfBody as string,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: REGION,
  }
}

/** A failure of the record `id`. */
export function failure(
  id: string,
  error: unknown,
  { receiveCount = 1, ...fields }: Partial<SQSRecord> & { receiveCount?: number } = {},
): RecordFailure {
  return { record: sqsRecord(id, fields), error, receiveCount }
}

/** The second argument of a failure handler, and the lines that it logs. */
export function failureRequest(
  signal: AbortSignal = new AbortController().signal,
  blocked: FailureRequest['blocked'] = [],
) {
  const lines: string[] = []
  const request: FailureRequest = {
    event: { Records: [] },
    context: {} as Context,
    signal,
    blocked,
    log: (error) => lines.push((error as Error).stack?.replace(/^Error: /, '') ?? ''),
  }
  return { request, lines }
}
