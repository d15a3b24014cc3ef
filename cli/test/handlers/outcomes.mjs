import { failures, note, numberOf } from './notes.ts'

/** Numbers ending in 1 fail on their first receive, numbers ending in 2 always. Notes the processed numbers. */
export async function handler({ Records }) {
  const failed = Records.filter((record) => {
    const number = numberOf(record)
    const fails = number % 10 === 2 || (number % 10 === 1 && record.attributes.ApproximateReceiveCount === '1')
    if (!fails) note(number)
    return fails
  })
  return failures(failed)
}

/** Throws if the first record of the batch is received for the first time. */
export async function throwsOnce({ Records }) {
  if (Records[0].attributes.ApproximateReceiveCount === '1') throw new RangeError('not yet')
  for (const record of Records) note(numberOf(record))
}

export async function unavailable() {
  throw new Error('no database')
}
