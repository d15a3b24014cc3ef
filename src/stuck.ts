/** An invocation that holds slots of the queue. */
export interface Holder {
  /** How many of them by handlers that timed out so long ago that they do not seem to heed their signal. */
  readonly deaf: number
  end(): void
}

/** Rule 8: where handlers that do not heed their signal hold every slot, the invocations that they belong to end. */
export function endWhatIsStuck(live: Iterable<Holder>, concurrency: number, recordTimeout: number): void {
  const stuck = Array.from(live).filter(({ deaf }) => deaf > 0)
  if (stuck.reduce((sum, { deaf }) => sum + deaf, 0) < concurrency) return
  process.emitWarning(
    `Handlers that do not heed their signal hold all ${concurrency} slots, each for twice the recordTimeout of ` +
      `${recordTimeout} ms: their batches end, and what has not started is reported. Pass the signal on to what they wait for`,
    { type: 'BoundedSqsBatchWarning', code: 'BOUNDED_SQS_BATCH_SIGNAL_IGNORED' },
  )
  for (const fanOut of stuck) fanOut.end()
}
