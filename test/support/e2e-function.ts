import { join } from 'node:path'
import { numberedMessages, type RunOptions, run } from 'bounded-sqs-batch/engine'
import { startFauxqs } from 'fauxqs'
import type { Test } from 'tap'

const AWS_CLIENT = join(import.meta.dirname, '../../cli/test/aws-client/node_modules/aws-lambda-ric/index.mjs')

export interface Trial {
  messages: number
  groups?: number
  maxReceives?: number
  function: RunOptions['function']
  mapping?: RunOptions['mapping']
}

/** A function in e2e/handlers/ that AWS's runtime client runs with Lambda's descriptor limit. */
export function awsFunction(
  file: string,
  { env = {}, ...options }: Partial<RunOptions['function']> = {},
): RunOptions['function'] {
  return {
    file: join(import.meta.dirname, '../e2e/handlers', file),
    runtimeClient: `'${process.execPath}' '${AWS_CLIENT}'`,
    fdLimit: 1024,
    timeout: 30_000,
    ...options,
    env,
  }
}

function numbersOf(messages: readonly { body: string }[]) {
  return messages.map(({ body }): number => JSON.parse(body).number).sort((a, b) => a - b)
}

/** Sends numbered messages to this queue and runs the function until the queue is empty. */
export async function runOn(queue: RunOptions['queue'], trial: Trial) {
  return run({
    queue,
    function: trial.function,
    mapping: { batchSize: 10_000, windowMs: 1000, retryAfter: 0, ...trial.mapping },
    messages: numberedMessages(trial.messages, trial.groups),
    idle: 0,
  })
}

/** Does the same with a new queue and a dead-letter queue. Also returns the numbers of the dead-lettered messages. */
export async function runTrial(t: Test, trial: Trial) {
  const { groups = 0, maxReceives = 5 } = trial
  const sqs = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
  t.teardown(() => sqs.stop())
  const fifo = groups > 0 ? { suffix: '.fifo', attributes: { FifoQueue: 'true' } } : { suffix: '', attributes: {} }
  const deadLetters = `dead-letters${fifo.suffix}`
  const orders = `orders${fifo.suffix}`
  const { queueArn } = sqs.createQueue(deadLetters, { attributes: fifo.attributes })
  sqs.createQueue(orders, {
    attributes: {
      ...fifo.attributes,
      VisibilityTimeout: '60',
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: queueArn, maxReceiveCount: maxReceives }),
    },
  })
  const endpoint = `http://127.0.0.1:${sqs.port}`
  const ledger = await runOn({ endpoint, queueUrl: `${endpoint}/000000000000/${orders}` }, trial)
  return { ledger, deadLetters: numbersOf(sqs.inspectQueue(deadLetters)?.messages.ready ?? []) }
}
