// Import this file in the file of the handler.
import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import type { RecordTrace } from 'middy-bounded-sqs-batch'

const current = new AsyncLocalStorage<string>()
const { start } = tracingChannel<string, RecordTrace>('middy-bounded-sqs-batch:record')
start.bindStore(current, ({ records }) => records.map(({ messageId }) => messageId).join(', '))
process.on('uncaughtExceptionMonitor', () => {
  const id = current.getStore() ?? '(unknown)'
  console.error('An exception ends the process. It came from the record', id)
})
