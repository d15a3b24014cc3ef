// A Lambda function in its own process, which does the work of Lambda's runtime too: `function.js <case as JSON>`.
// It is JavaScript, because removing types in this process would take CPU time that is measured.
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { setImmediate, setTimeout } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, PermanentError } from 'middy-bounded-sqs-batch'

const { work, concurrency, onFailure, permanent, downstream, sqs } = JSON.parse(process.argv[2])
const finished = []
const stages = {}
let logEntries = 0

const works = { hang, throw: throwLongText, fetch: callFetch, http: callHttp, compute }
const onFailures = { none: undefined, returns: returnFailures, sqs: onFailure === 'sqs' && (await sqsHandlers()) }

const handler = middy()
  .use(boundedSqsBatch({ concurrency, onFailure: onFailures[onFailure] }))
  .handler(eachRecord(processRecord, work === 'compute' ? { body: asyncSchema() } : {}))

function processRecord(record, _context, { signal, index }) {
  if (index < permanent) throw new PermanentError('the order is not valid')
  if (index === (work === 'throw' ? THROWING : permanent))
    signal.addEventListener('abort', () => enter('signals'), { once: true })
  return (works[work] ?? finishLater)(record, signal, index)
}

/** Listens to its signal, as `fetch()` does, and never settles. */
function hang(_record, signal) {
  signal.addEventListener('abort', () => {}, { once: true })
  return new Promise(() => {})
}

const HEXADECIMAL = 'ab01'.repeat(190)
const THROWING = 6900

/** Most records fail, each with another message of 760 hexadecimal digits. The others hang. */
function throwLongText(record, signal, index) {
  if (index < THROWING) throw new Error(`the token ${index.toString(16)}${HEXADECIMAL} is not valid`)
  return hang(record, signal)
}

/** Resolves after the time of a record, or rejects when its signal aborts. */
async function finishLater({ messageId }, signal) {
  await setTimeout(work, undefined, { signal })
  finished.push(messageId)
}

/** The handler of the README. */
async function callFetch({ body }, signal) {
  const response = await fetch(downstream, { method: 'POST', body, signal })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`downstream returned ${response.status}`)
}

function callHttp({ body }, signal) {
  return new Promise((resolve, reject) => {
    const request = http.request(downstream, { method: 'POST', signal }, (response) => {
      response.resume().once('end', resolve)
    })
    request.once('error', reject).end(body)
  })
}

/** Its validation takes microtasks only, so it does not let the event loop run. */
function asyncSchema() {
  const validate = async (value) => ({ value })
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

function compute({ messageId }) {
  const end = cpuTime() + 200_000
  while (cpuTime() < end);
  finished.push(messageId)
}

async function returnFailures(failures) {
  await setImmediate()
  return failures
}

/** The client has not called SQS yet. */
async function sqsHandlers() {
  const { SQSClient } = await import('@aws-sdk/client-sqs')
  const { deadLetter, retryBackoff } = await import('middy-bounded-sqs-batch/sqs')
  const client = new SQSClient({ endpoint: sqs.endpoint, requestHandler: { connectionTimeout: 1000 } })
  return [deadLetter({ client, queueUrl: sqs.deadLetterQueueUrl }), retryBackoff({ client })]
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
  // If all records hang, the process is idle until the batch ends. So the last sample is the CPU time at that moment.
  const sampler = setInterval(() => {
    if (!stages.signals) stages.end = cpuTime()
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
