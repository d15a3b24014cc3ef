import { appendFileSync } from 'node:fs'

/** Appends a JSON line to the notes of the test. */
export function note(value) {
  return appendFileSync(process.env.RECORD_TO, `${JSON.stringify(value)}\n`)
}

export function numberOf(record) {
  return JSON.parse(record.body).number
}

export function failures(records) {
  return {
    batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })),
  }
}
