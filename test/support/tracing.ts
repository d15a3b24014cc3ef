import diagnostics from 'node:diagnostics_channel'
import type { Test } from 'tap'
import type { BatchSummary, BatchTrace, RecordTrace } from '../../src/index.ts'

export const BATCH = 'middy-bounded-sqs-batch:batch'
export const RECORD = 'middy-bounded-sqs-batch:record'
export const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const

/** Subscribes to all events of both channels and notes them in order, for example `b1 start` or `batch error`. */
export function listenToTraces(t: Test) {
  const events: string[] = []
  const batches = new Set<BatchTrace>()
  const records = new Set<RecordTrace>()
  const subscribers: [name: string, subscriber: (message: unknown) => void][] = EVENTS.flatMap((event) => [
    [
      `tracing:${BATCH}:${event}`,
      (message) => {
        const trace = message as BatchTrace
        const has = [trace.summary && 'summary', trace.result && 'result', 'error' in trace && 'error']
        events.push(['batch', event, ...has.filter(Boolean)].join(' '))
        batches.add(trace)
      },
    ],
    [
      `tracing:${RECORD}:${event}`,
      (message) => {
        const trace = message as RecordTrace
        const name = trace.records.map(({ messageId }) => messageId).join('+')
        events.push(['error' in trace ? `${name} failed` : name, event].join(' '))
        records.add(trace)
      },
    ],
  ])
  for (const [name, subscriber] of subscribers) diagnostics.subscribe(name, subscriber)
  function stop() {
    for (const [name, subscriber] of subscribers) diagnostics.unsubscribe(name, subscriber)
  }
  t.teardown(stop)
  return {
    batches,
    records,
    stop,
    /** Returns and forgets the events since the last call. */
    heard: () => events.splice(0),
    /** The events of one record, or of the batch. */
    of: (name: string) => events.filter((event) => event.startsWith(name)),
  }
}

/** The summaries of the batches that end while the test runs, by the first id of each. */
export function summaries(t: Test): Map<string | undefined, BatchSummary | undefined> {
  const noted = new Map<string | undefined, BatchSummary | undefined>()
  function note(message: unknown) {
    const { event, summary } = message as BatchTrace
    noted.set(event.Records[0]?.messageId, summary)
  }
  diagnostics.subscribe(`tracing:${BATCH}:asyncStart`, note)
  t.teardown(() => diagnostics.unsubscribe(`tracing:${BATCH}:asyncStart`, note))
  return noted
}
