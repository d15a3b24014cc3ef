import { appendFileSync } from 'node:fs'

/** Appends a JSON line to the notebook of the test. */
export const note = (value) => appendFileSync(process.env.RECORD_TO, `${JSON.stringify(value)}\n`)

export const numberOf = (record) => JSON.parse(record.body).number

export const failures = (records) => ({
  batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })),
})
