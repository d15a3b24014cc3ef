import type { SQSEvent } from 'aws-lambda'
import t from 'tap'
import { invoke } from '../../src/testing/index.ts'
import { LONG } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream, useEndpoint } from '../support/services.ts'
import { startSqs, toRecord } from '../support/sqs.ts'

t.test('circuit-breaker.ts fails records without a call while the service is down, and delays them', async (t) => {
  const sqs = await startSqs(t)
  const { url, arn } = sqs.queue('payments', { VisibilityTimeout: '600' })
  useEndpoint('SQS', sqs.endpoint)
  let status = 503
  let calls = 0
  process.env.PAYMENTS_URL = await startDownstream(t, () => {
    calls++
    return status
  })
  const { handler } = await import('../../examples/circuit-breaker.ts')
  for (let payment = 0; payment < 60; payment++) sqs.fauxqs.sendMessage('payments', String(payment))
  const messages = await sqs.receiveAll(url)
  const event: SQSEvent = { Records: messages.map((message) => toRecord(message, arn)) }
  t.equal(event.Records.length, 60)

  const { now } = Date
  const start = now()
  Date.now = () => start // the circuit stays open for 30 s, which can pass on a busy machine
  t.teardown(() => {
    Date.now = now
  })
  const [log = ''] = await logged(async () =>
    t.strictSame((await invoke(handler, event, { timeout: LONG })).failed, event.Records),
  )
  // 20 failures open the circuit. 19 further records can start before the last of them.
  t.ok(calls >= 20 && calls <= 39, `${calls} calls`)
  t.match(log, `${calls} × Error: the payment service returned 503`)
  t.match(log, `${60 - calls} × Error: Execution prevented because the circuit breaker is open`)
  const inFlight = sqs.fauxqs.inspectQueue('payments')?.messages.inflight ?? []
  t.equal(inFlight.length, 60)
  for (const { visibilityDeadline } of inFlight) {
    t.ok(visibilityDeadline >= start + 30_000 && visibilityDeadline <= start + 60_000)
  }

  // The circuit stays open for the next invocation, until 30 s have passed. Then one call finds that the service is
  // back.
  calls = 0
  status = 200
  await logged(async () => t.strictSame((await invoke(handler, event, { timeout: LONG })).failed, event.Records))
  t.equal(calls, 0)
  Date.now = () => start + 30_000
  t.strictSame((await invoke(handler, event, { timeout: LONG })).succeeded, event.Records)
  t.equal(calls, 60)

  // A refused record does not open the circuit.
  status = 422
  const refused = await logged(() => invoke(handler, event, { timeout: LONG }))
  t.match(refused.join('\n'), '60 × Error: the payment service refused it with 422')
  t.equal(calls, 120)
})
