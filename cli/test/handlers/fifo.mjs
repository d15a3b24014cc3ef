import { failures, note } from './notes.ts'

/**
 * Notes group and number of each processed message. Every 7th message fails on its first receive, and with it the rest
 * of its group.
 */
export async function handler({ Records }) {
  const blocked = new Set()
  const failed = Records.filter((record) => {
    const { number } = JSON.parse(record.body)
    const { MessageGroupId: group, ApproximateReceiveCount: count } = record.attributes
    if (blocked.has(group) || (number % 7 === 0 && count === '1')) {
      blocked.add(group)
      return true
    }
    note({ group, number, sequence: record.attributes.SequenceNumber })
    return false
  })
  return failures(failed)
}
