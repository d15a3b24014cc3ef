/**
 * SQS with its wire protocol, in a process of its own, so that it and the engine use two cores. It refuses some calls,
 * before they change anything, and counts them.
 */
import { buildApp } from 'fauxqs'
import { hash, setSeed } from './messages.ts'

/** One call in this many is refused, and this call of each operation, so that a short run has refused calls of each. */
const REFUSE_EVERY = 50
const ALWAYS_REFUSED = 5

setSeed(Number(process.argv[2]))
const refused = { SendMessageBatch: 0, ReceiveMessage: 0, DeleteMessageBatch: 0, ChangeMessageVisibilityBatch: 0 }
const made: typeof refused = { ...refused }
let calls = 0
const app = buildApp({ logger: false })
const isRefusable = (operation: string): operation is keyof typeof refused => Object.hasOwn(refused, operation)
app.addHook('preHandler', async ({ headers }, reply) => {
  const operation = String(headers['x-amz-target']).replace('AmazonSQS.', '')
  if (!isRefusable(operation)) return
  made[operation] += 1
  if (hash(++calls) % REFUSE_EVERY !== 0 && made[operation] !== ALWAYS_REFUSED) return
  refused[operation] += 1
  const [status, code] = calls % 2 === 0 ? [400, 'ThrottlingException'] : [503, 'ServiceUnavailable']
  return reply.code(status).send({ __type: `com.amazonaws.sqs#${code}`, message: 'try again' })
})
app.get('/refused', async () => refused)
process.on('disconnect', () => process.exit())
process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }))
