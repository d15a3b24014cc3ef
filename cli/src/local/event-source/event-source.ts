import { type FilterPattern, matcherOf } from '../../filters/filters.ts'
import type { Cause } from '../../shared/error-groups.ts'
import { countOf } from '../../shared/format.ts'
import { deletedOutOfOrder, type Fate, type JudgedBatch, judge } from '../account/fate.ts'
import type { Findings } from '../account/findings.ts'
import type { OpenLedger } from '../account/ledger.ts'
import type { Runtime } from '../environment/environment-pool.ts'
import type { Outcome } from '../environment/runtime-api.ts'
import type { Queue } from '../queue/queue.ts'
import { type Received, toEvent } from '../queue/sqs-record.ts'
import { gatherBatch } from './gather-batch.ts'

export interface EventSourceOptions {
  batchSize: number
  /** Milliseconds, counted from the first message of a batch. */
  windowMs: number
  /** Concurrent invocations. */
  concurrency: number
  reportBatchItemFailures: boolean
  /** Seconds until a failed message is redelivered. Undefined: after the visibility timeout. */
  retryAfter: number | undefined
  /** The patterns of the filters. Lambda deletes messages that match none of them. Default: no filters. */
  filters: readonly FilterPattern[]
}

interface EventSourceParts {
  queue: Pick<Queue, 'fifo' | 'maxReceives' | 'receive' | 'remove' | 'setVisibility' | 'release'>
  runtime: Pick<Runtime, 'invoke'>
  ledger: OpenLedger
  findings?: Pick<Findings, 'add'>
  /** When this signal aborts, no further invocation starts. Then the running invocations are awaited. */
  draining: AbortSignal
  /** Whether no further message can arrive, if the workers have this many undelivered messages. */
  isLast: (gathered: number) => Promise<boolean>
}

/**
 * Imitates an event source mapping: gathers batches, invokes the function, and deletes the messages that it
 * did not report.
 */
class EventSource {
  readonly #parts: EventSourceParts
  readonly #options: EventSourceOptions
  readonly #matches: ((body: string) => boolean) | undefined
  /** Aborts if one worker fails, for example because the queue was deleted. All workers then end. */
  readonly #workerFailed = new AbortController()
  readonly #signal: AbortSignal
  /** How many messages the workers have received, and not delivered. */
  #gathered = 0
  /** Deliveries whose invocation failed. The deletions of its process may arrive after its end. */
  readonly #failed: Pick<Received, 'messageId' | 'byClients'>[] = []

  constructor(parts: EventSourceParts, options: EventSourceOptions) {
    this.#parts = parts
    this.#options = options
    this.#matches = matcherOf(options.filters)
    this.#signal = AbortSignal.any([parts.draining, this.#workerFailed.signal])
  }

  /** Ends when no further invocation starts, and the running ones have ended. */
  async run(): Promise<void> {
    const workers = Array.from({ length: this.#options.concurrency }, () =>
      this.#work().catch((error) => {
        this.#workerFailed.abort()
        throw error
      }),
    )
    const ends = await Promise.allSettled(workers)
    for (const { messageId, byClients } of this.#failed) {
      if (byClients.isDeleted) this.#parts.ledger.settle(messageId, 'processed')
    }
    const failure = ends.find((end) => end.status === 'rejected')
    if (failure) throw failure.reason
  }

  async #work() {
    const { queue, isLast } = this.#parts
    const signal = this.#signal
    while (!signal.aborted) {
      const { batch, rest } = await gatherBatch({
        receive: (most, waitSeconds) => this.#receive(most, waitSeconds),
        ...this.#options,
        isLast: () => isLast(this.#gathered),
        signal,
      })
      this.#gathered -= batch.length + rest.length
      await queue.release(signal.aborted ? [...batch, ...rest] : rest)
      if (!signal.aborted && batch.length > 0) await this.#deliver(batch)
    }
  }

  /** Receives messages, and deletes those that match no filter. */
  async #receive(most: number, waitSeconds: number): Promise<Received[]> {
    const { queue, ledger } = this.#parts
    const received = await queue.receive(most, waitSeconds, this.#signal)
    const unmatched = received.filter(({ json }) => this.#matches && !this.#matches(JSON.parse(json).body))
    for (const { messageId } of unmatched) ledger.settle(messageId, 'filtered')
    await queue.remove(unmatched)
    const matched = received.filter((message) => !unmatched.includes(message))
    this.#gathered += matched.length
    return matched
  }

  async #deliver(batch: readonly Received[]) {
    const { queue, runtime, ledger } = this.#parts
    ledger.delivered(batch)
    const outcome = await runtime.invoke(toEvent(batch))
    ledger.invocationEnded(outcome, batch)
    const { fifo, maxReceives } = queue
    const judged = judge(batch, outcome, { fifo, maxReceives, ...this.#options })
    this.#account(judged, outcome, batch)
    const failed = judged.messages.flatMap(({ fate, message }) => (stays(fate) ? message : []))
    const gone = judged.messages.flatMap(({ fate, message }) => (stays(fate) ? [] : message))
    const { retryAfter } = this.#options
    const [notDeleted] = await Promise.all([
      queue.remove(gone.filter(({ byClients }) => !byClients.isDeleted)),
      retryAfter !== undefined && queue.setVisibility(failed, retryAfter), // shortens the time until they are redelivered
    ])
    for (const { messageId } of notDeleted)
      ledger.failure(`${messageId}: SQS did not delete the message, so it will be redelivered`)
  }

  #account(judged: JudgedBatch, outcome: Outcome, batch: readonly Received[]) {
    const { queue, ledger, findings } = this.#parts
    for (const { messageId: id } of queue.fifo ? deletedOutOfOrder(judged) : [])
      ledger.add('outOfOrder', `${id}: deleted, although an earlier message of its message group failed`)
    const { messageId: first } = batch[0] as Received
    const { error, ignored } = judged
    findings?.add(outcome)
    const failure = `${first}: its invocation with ${countOf(batch.length, 'record')} failed: ${error}`
    if (outcome.type === 'stopped') ledger.failure(failure)
    else if (error !== undefined) ledger.add('failedInvocations', failure, error)
    if (ignored !== undefined)
      ledger.add('ignoredLists', `${first}: in the response of its invocation, ${ignored}`, ignored)
    for (const { message, fate, what, cause, isThrown } of judged.messages) {
      const { messageId, byClients } = message
      ledger.settle(messageId, fate, isThrown)
      if (error !== undefined) this.#failed.push({ messageId, byClients })
      if (cause !== undefined) ledger.cause(cause)
      if (what !== undefined) ledger.failure(`${messageId}: ${what}: ${textOf(cause)}`)
    }
  }
}

const stays = (fate: Fate) => fate === 'failed' || fate === 'exhausted'

const textOf = (cause: Cause | string | undefined) => (typeof cause === 'object' ? cause.text : cause)

export function runEventSource(parts: EventSourceParts, options: EventSourceOptions): Promise<void> {
  return new EventSource(parts, options).run()
}
