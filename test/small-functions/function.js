// A Lambda function in its own process, which does the work of Lambda's runtime too: `function.js <records> <on-failure>`.
// It is JavaScript, because removing types in this process would take CPU time that is measured.
import { readFileSync, writeFileSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const [records, onFailure] = process.argv.slice(2)
const finished = []
const stages = {}
let logEntries = 0

const handler = middy()
  .use(boundedSqsBatch(onFailure === 'yes' ? { onFailure: returnFailures } : {}))
  .handler(eachRecord(records === 'hang' ? hang : finishLater))

/** Listens to its signal, as `fetch()` does, and never settles. */
function hang(_record, _context, { signal }) {
  signal.addEventListener('abort', () => enter('signals'), { once: true })
  return new Promise(() => {})
}

/** Resolves after the time of a record, or rejects when its signal aborts. */
async function finishLater({ messageId }, _context, { signal }) {
  await setTimeout(Number(records), undefined, { signal })
  finished.push(messageId)
}

async function returnFailures(failures) {
  await setImmediate()
  return failures
}

/** Notes the CPU time in microseconds that the process had used when it first reached this stage. */
function enter(stage) {
  stages[stage] ??= cpuTime()
}

function cpuTime() {
  const { user, system } = process.cpuUsage()
  return user + system
}

const { error: writeLog } = console
console.error = (...args) => {
  logEntries++
  enter('log')
  writeLog(...args)
  enter('logged')
}

process.once('disconnect', () => process.exit())
process.once('message', async ({ eventFile, responseFile, deadline }) => {
  const timeLeft = () => deadline - Date.now()
  const event = JSON.parse(readFileSync(eventFile, 'utf8'))
  const leftAtStart = timeLeft()
  // If all records hang, the process is idle until the batch ends. So the last sample is the CPU time at the end.
  const sampler = setInterval(() => {
    stages.end = cpuTime()
  }, 50)
  const response = await handler(event, { getRemainingTimeInMillis: timeLeft })
  clearInterval(sampler)
  enter('returned')
  const text = JSON.stringify(response)
  enter('serialised')
  writeFileSync(responseFile, text)
  const left = timeLeft()
  enter('written')
  process.send({ left, leftAtStart, finished, stages, logEntries })
})
process.send('ready')
