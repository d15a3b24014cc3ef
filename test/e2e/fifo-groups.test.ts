// Message groups of a FIFO queue, with a failure at each place: no message starts before an earlier one of its group that
// is not done, and no group waits for the visibility timeout of the queue if SQS accepts the calls.
//
// The queue is that of `local`: fauxqs delivers one message of each group at a time. With E2E_SQS=moto it is moto's, whose
// order is not checked: if several messages of a group become visible, moto 5.1 skips them until it reaches the last one,
// and delivers this one first (`receive_message()` in moto/sqs/models.py).
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import t, { type Test } from 'tap'
import { startOwnQueue } from '../../cli/src/local/queue/own-queue.ts'
import { deadLetter, retryBackoff } from '../../src/sqs/index.ts'
import { expectedOf, type Group, groupsUpTo, messageOf, runGroups, type Scenario } from '../support/fifo-groups.ts'
import { startMoto } from '../support/moto.ts'
import { type Call, createClient, type Faults, startProxy } from '../support/sqs.ts'

/** Seconds. A group that waited for this visibility timeout would not be done before the limit. */
const NEVER = 3_600
const LIMIT = 240_000
const ENVIRONMENTS = 3

type Order = 'deadLetter() first' | 'retryBackoff() first'
const ORDERS: readonly Order[] = ['deadLetter() first', 'retryBackoff() first']

interface Options extends Partial<Pick<Scenario, 'timeout' | 'beforeResponse'>> {
  readonly groups: readonly Group[]
  readonly order: Order
  /** Seconds. */
  readonly visibilityTimeout: number
  /** Whether a call does not end that changes the visibility of the messages with these bodies. */
  readonly hangs?: (bodies: readonly string[]) => boolean
  /** Whether SQS refuses to change the visibility of this message. */
  readonly refuses?: (body: string) => boolean
}

interface Queues {
  /** The endpoint of SQS. */
  readonly target: string
  readonly url: string
  readonly deadLetterUrl: string
}

const isMoto = process.env.E2E_SQS === 'moto'
// The tests wait for delays during most of their time. Servers of moto that start together could take the same port.
if (!isMoto) t.jobs = 16
const startQueues = isMoto ? startMotoQueues : startLocalQueues
/** The largest group. A batch has ten messages, and moto is slow. */
const LARGEST = isMoto ? 5 : 10

async function startLocalQueues(t: Test, visibilityTimeout: number): Promise<Queues> {
  const queue = await startOwnQueue({ fifo: true, visibilityTimeout, maxReceives: 1_000 })
  t.teardown(() => queue.close())
  const { queueUrl: url, deadLetterUrl } = queue
  return { target: new URL(url).origin, url, deadLetterUrl: deadLetterUrl as string }
}

async function startMotoQueues(t: Test, visibilityTimeout: number): Promise<Queues> {
  const target = await startMoto(t)
  const client = createClient(t, { endpoint: target })
  async function create(QueueName: string, VisibilityTimeout: number): Promise<string> {
    const Attributes = { FifoQueue: 'true', VisibilityTimeout: String(VisibilityTimeout) }
    return (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl as string
  }
  return { target, url: await create('orders.fifo', visibilityTimeout), deadLetterUrl: await create('dead.fifo', 30) }
}

async function check(t: Test, { groups, order, visibilityTimeout, hangs, refuses, ...options }: Options) {
  const bodies = new Map<unknown, string>() // by receipt handle
  const isChange = ({ operation }: Call) => operation === 'ChangeMessageVisibilityBatch'
  const bodyOf = ({ ReceiptHandle }: Record<string, unknown>) => bodies.get(ReceiptHandle) ?? ''
  const letters: string[] = []
  const { target, url, deadLetterUrl } = await startQueues(t, visibilityTimeout)
  const faults: Faults = {
    call: (call) => (isChange(call) && hangs?.(call.input.Entries.map(bodyOf)) ? 'hang' : undefined),
    entry: (entry, call) => (isChange(call) && refuses?.(bodyOf(entry)) ? 'InternalError' : undefined),
    respond(response, { operation, input }) {
      if (operation === 'ReceiveMessage') {
        for (const { ReceiptHandle, Body } of response.Messages ?? []) bodies.set(ReceiptHandle, Body)
      }
      if (operation === 'SendMessageBatch' && input.QueueUrl === deadLetterUrl) {
        for (const { MessageBody } of input.Entries) letters.push(MessageBody)
      }
      return response
    },
  }
  const client = (await startProxy(t, target, faults)).client()
  const [account, name] = new URL(url).pathname.split('/').slice(-2)
  const queue = { url, arn: `arn:aws:sqs:eu-west-1:${account}:${name}` }
  const onFailure = [deadLetter({ client, queueUrl: deadLetterUrl }), retryBackoff({ client, base: 1, jitter: 'none' })]
  if (order === 'retryBackoff() first') onFailure.reverse()
  const settings = { environments: ENVIRONMENTS, limit: LIMIT }
  const { processed, disorders } = await runGroups({ groups, queue, client, onFailure, ...settings, ...options })
  if (isMoto) for (const numbers of Object.values(processed)) numbers.sort((a, b) => a - b)
  else t.strictSame(disorders, [])
  t.strictSame(processed, Object.fromEntries(groups.map((group) => [group.name, expectedOf(group)])))
  const permanent = groups.filter(({ isPermanent }) => isPermanent).map(({ name, failing }) => `${name} ${failing}`)
  t.strictSame([...new Set(letters)].sort(), permanent.sort())
}

for (const order of ORDERS) {
  t.test(`groups of 2 to ${LARGEST}, ${order}: each goes on after the delay of its failure`, (t) =>
    check(t, { groups: groupsUpTo(LARGEST), order, visibilityTimeout: NEVER }),
  )
}

/** Two messages behind the failure, and one before it. */
const GROUPS = groupsUpTo(4).filter(({ size, failing }) => size === 4 && failing === 2)
const failingOf = new Map(GROUPS.map(({ name, failing }) => [name, failing]))
const isFailure = (body: string) => {
  const [name, number] = messageOf(body)
  return failingOf.get(name) === number
}

for (const order of ORDERS) {
  for (const [what, refuses] of [
    ['for the failure only', (body: string) => isFailure(body)],
    ['for the messages behind it only', (body: string) => !isFailure(body)],
    ['for one of the messages behind it', (body: string) => body.endsWith('3')],
    ['for all', () => true],
  ] as const) {
    t.test(`SQS refuses the delay ${what}, ${order}: the group waits`, (t) =>
      check(t, {
        groups: GROUPS,
        order,
        visibilityTimeout: 4,
        refuses,
      }),
    )
  }

  t.test(`the first call for each message times out, ${order}: the group waits`, (t) => {
    const hung = new Set<string>()
    return check(t, {
      groups: GROUPS,
      order,
      visibilityTimeout: 4,
      timeout: 1_000,
      hangs(bodies) {
        const isNew = bodies.some((body) => !hung.has(body))
        for (const body of bodies) hung.add(body)
        return isNew
      },
    })
  })

  t.test(`the invocation fails after the failure handlers, ${order}: the group waits`, (t) => {
    const failedOnce = new Set<string>()
    return check(t, {
      groups: GROUPS,
      order,
      visibilityTimeout: 4,
      beforeResponse(bodies) {
        const failures = bodies.filter((body) => isFailure(body) && !failedOnce.has(body))
        for (const body of failures) failedOnce.add(body)
        if (failures.length > 0) throw new Error('could not commit')
      },
    })
  })

  t.test(`the response is later than the delay, ${order}: the group goes on`, (t) =>
    check(t, {
      groups: GROUPS,
      order,
      visibilityTimeout: NEVER,
      beforeResponse: (bodies) => (bodies.some(isFailure) ? sleep(2_500) : undefined),
    }),
  )
}
