// A Lambda function in a process of its own, with what Lambda's runtime does around it: `function.js <records> <on-failure>`.
// It is JavaScript because stripping types in this process would add to what is measured.
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

/** Finishes after its time, or rejects when its signal aborts. */
async function finishLater({ messageId }, _context, { signal }) {
  await setTimeout(Number(records), undefined, { signal })
  finished.push(messageId)
}

async function returnFailures(failures) {
  await setImmediate()
  return failures
}

/** Notes the CPU time that the process had used, in microseconds, when it first came to this stage. */
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
  // A process whose records all hang is idle until the batch ends, so the last sample is the CPU time at that moment.
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
