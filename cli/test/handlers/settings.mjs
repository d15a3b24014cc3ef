import { failures, note, numberOf } from './notes.ts'

/** Notes the settings that a function can see. Numbers ending in 2 always fail. */
export async function handler({ Records }, context) {
  const remaining = context.getRemainingTimeInMillis()
  note({ records: Records.length, memory: context.memoryLimitInMB, remaining, queue: Records[0].eventSourceARN })
  return failures(Records.filter((record) => numberOf(record) % 10 === 2))
}
