import { test } from 'tap'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import { whyFailed } from '../../../src/local/command/verdict.ts'

const none = { maxDeadLettered: 0, maxFailedInvocations: 0 }
const good = {
  ...new OpenLedger().snapshot({ queue: 0, deadLetter: 0 }),
  sent: 20,
  processed: 20,
  isInputComplete: true,
}

const cases: [title: string, changes: Partial<typeof good>, allowed: typeof none, reason: string | undefined][] = [
  ['all messages processed', {}, none, undefined],
  [
    'an input of which a part was not sent',
    { isInputComplete: false },
    { maxDeadLettered: 99, maxFailedInvocations: 99 },
    'the run was interrupted before all messages were sent',
  ],
  ['one message lost', { lost: 1 }, none, '1 message was lost'],
  ['messages left in the queue', { remaining: 1200 }, none, '1,200 messages were left in the queue'],
  ['no message processed', { processed: 0 }, none, 'no message was processed'],
  ['a death between invocations', { diedBetween: 1 }, none, 'the process died between invocations: 1 time'],
  [
    'a death between invocations, although failed invocations and dead letters are allowed',
    { diedBetween: 2 },
    { maxDeadLettered: 99, maxFailedInvocations: 99 },
    'the process died between invocations: 2 times',
  ],
  [
    'a failed invocation',
    { failedInvocations: 1 },
    none,
    '1 invocation failed (--max-failed-invocations 1 would allow it)',
  ],
  ['a failed invocation that is allowed', { failedInvocations: 2 }, { ...none, maxFailedInvocations: 2 }, undefined],
  [
    'dead letters of the queue and of the handler',
    { deadLettered: 2, sentDeadLetters: 3 },
    { ...none, maxDeadLettered: 4 },
    '2 messages were dead-lettered, and 3 messages were dead-lettered by the handler (--max-dead-lettered 5 would allow it)',
  ],
  [
    'dead letters although all messages were processed',
    { expiredDeadLetters: 20 },
    { ...none, maxDeadLettered: 19 },
    '20 messages were dead-lettered although processed, because the visibility timeout had expired or a second delivery failed (--max-dead-lettered 20 would allow it)',
  ],
  [
    'dead letters that are allowed',
    { deadLettered: 2, sentDeadLetters: 3 },
    { ...none, maxDeadLettered: 5 },
    undefined,
  ],
  [
    'dead letters of the handler only',
    { sentDeadLetters: 3 },
    none,
    '3 messages were dead-lettered by the handler (--max-dead-lettered 3 would allow it)',
  ],
  [
    'a failure that onFailure dropped',
    { dropped: 1 },
    none,
    '1 message was dropped by onFailure and sent to no dead-letter queue (--max-dead-lettered 1 would allow it)',
  ],
  [
    'an invocation that responded early, although everything else is allowed',
    { respondedEarly: 1 },
    { maxDeadLettered: 99, maxFailedInvocations: 99 },
    '1 invocation responded before all work had ended (--no-freeze would allow it)',
  ],
  [
    'messages of a group out of order, although everything else is allowed',
    { outOfOrder: 1 },
    { maxDeadLettered: 99, maxFailedInvocations: 99 },
    '1 message was deleted before an earlier message of the same message group, which failed',
  ],
  [
    'a filter that deletes all messages',
    { processed: 0, filtered: 20 },
    none,
    'no message was processed, because 20 messages were deleted by a filter',
  ],
  [
    'invocations that would time out, although everything else is allowed',
    { wouldTimeOut: 1200 },
    { maxDeadLettered: 99, maxFailedInvocations: 99 },
    '1,200 invocations would time out on Lambda (raise the memory or the timeout, or lower the batch size)',
  ],
  [
    'dead letters, and responses with a list of failures that Lambda does not read',
    { deadLettered: 1000, ignoredLists: 1 },
    { ...none, maxDeadLettered: 2 },
    '1 response had a list of failures that Lambda does not read: return { batchItemFailures: […] }; ' +
      '1,000 messages were dead-lettered (--max-dead-lettered 1000 would allow it)',
  ],
  [
    'dead letters whose delays the run has replaced',
    { deadLettered: 3, sentDeadLetters: 1, replacedTimeouts: 40 },
    none,
    '3 messages were dead-lettered, and 1 message was dead-lettered by the handler (the function delays redeliveries: use --retry-after off)',
  ],
  [
    'dead letters of the handler, and delays that the run has replaced',
    { sentDeadLetters: 1, replacedTimeouts: 40 },
    none,
    '1 message was dead-lettered by the handler (--max-dead-lettered 1 would allow it)',
  ],
  [
    'several reasons',
    { processed: 0, deadLettered: 20, failedInvocations: 6 },
    none,
    'no message was processed; 6 invocations failed (--max-failed-invocations 6 would allow it); ' +
      '20 messages were dead-lettered (--max-dead-lettered 20 would allow it)',
  ],
]
for (const [title, changes, allowed, reason] of cases) {
  test(`${title}: the run ${reason === undefined ? 'passed' : 'failed'}`, async (t) =>
    t.equal(whyFailed({ ...good, ...changes }, allowed), reason))
}
