import { failures, note, numberOf } from './notes.mjs'

/** Number 1 mod 10 fails on its first receipt, 2 mod 10 always; notes what it processed. */
export async function handler({ Records }) {
  const failed = Records.filter((record) => {
    const number = numberOf(record)
    const fails = number % 10 === 2 || (number % 10 === 1 && record.attributes.ApproximateReceiveCount === '1')
    if (!fails) note(number)
    return fails
  })
  return failures(failed)
}

/** Throws on every first receipt of a batch's first record. */
export async function throwsOnce({ Records }) {
  if (Records[0].attributes.ApproximateReceiveCount === '1') throw new RangeError('not yet')
  for (const record of Records) note(numberOf(record))
}

/** Answers what it is told to, JSON text. */
export async function answers({ Records }) {
  for (const record of Records) note(numberOf(record))
  return JSON.parse(process.env.ANSWER)
}

export async function large() {
  return { batchItemFailures: [], padding: 'x'.repeat(7 * 1024 * 1024) }
}
