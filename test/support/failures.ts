import type { FailureHandler, FailureRequest, RecordFailure } from '../../src/index.ts'

export function idOf({ record }: RecordFailure): string {
  return record.messageId
}

export function idsOf(failures: readonly RecordFailure[]): string[] {
  return failures.map(idOf)
}

/** A failure handler that notes the ids of each call and returns what `handle` returns. */
export function noteFailures(
  handle: (failures: readonly RecordFailure[], request: FailureRequest) => unknown = (all) => all,
) {
  const calls: string[][] = []
  const onFailure = ((failures, request) => {
    calls.push(idsOf(failures))
    return handle(failures, request)
  }) as FailureHandler
  return { calls, onFailure }
}

/** A record handler that fails each record whose id begins with an x. */
export function failing({ messageId }: { messageId: string }): void {
  if (messageId.startsWith('x')) throw new Error(`${messageId} failed`)
}

/** A failure handler that returns the failures of these records, so the others count as handled. */
export function keep(...kept: string[]): FailureHandler {
  return (failures) => failures.filter((failure) => kept.includes(idOf(failure)))
}

/** The first lines of the log entries about failure handlers. */
export function failureHandlerLines(lines: readonly string[]): string[] {
  const start = 'middy-bounded-sqs-batch: onFailure: '
  return lines
    .filter((line) => line.startsWith(start))
    .map((line) => (line.split('\n')[0] as string).replace(start, ''))
}
