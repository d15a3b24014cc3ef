import type { FailureHandler, FailureRequest, RecordFailure } from '../../src/index.ts'

export const idOf = ({ record }: RecordFailure) => record.messageId

/** A failure handler that notes the ids of each call and answers with what `answer` makes of its failures. */
export function noting(
  answer: (failures: readonly RecordFailure[], request: FailureRequest) => unknown = (all) => all,
) {
  const calls: string[][] = []
  const onFailure = ((failures, request) => {
    calls.push(failures.map(idOf))
    return answer(failures, request)
  }) as FailureHandler
  return { calls, onFailure }
}

/** Fails each record whose id begins with an x. */
export const failing = ({ messageId }: { messageId: string }) => {
  if (messageId.startsWith('x')) throw new Error(`${messageId} failed`)
}

export const keep =
  (...kept: string[]): FailureHandler =>
  (failures) =>
    failures.filter((failure) => kept.includes(idOf(failure)))

/** Log entries about failure handlers, by their first line. */
export function staying(lines: readonly string[]): string[] {
  const start = 'middy-bounded-sqs-batch: onFailure: '
  return lines
    .filter((line) => line.startsWith(start))
    .map((line) => (line.split('\n')[0] as string).replace(start, ''))
}
