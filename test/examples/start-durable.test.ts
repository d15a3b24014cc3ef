import { text } from 'node:stream/consumers'
import t from 'tap'
import { invoke, sqsEvent } from '../../src/testing/index.ts'
import { requestClock } from '../support/clock.ts'
import { logged } from '../support/output.ts'
import { startServer, useEndpoint } from '../support/services.ts'

t.test(
  'start-durable.ts starts one execution for each message, within the rate, and reports refused calls',
  async (t) => {
    // Imitates Lambda's Invoke: it starts one execution per name, and responds 409 if a name comes with another
    // payload.
    let isRefusing = true
    const executions = new Map<string, string>()
    const calls: unknown[] = []
    const endpoint = await startServer(t, async (request, response) => {
      const { headers, method, url } = request
      const name = String(headers['x-amz-durable-execution-name'])
      const payload = await text(request)
      calls.push([method, url, headers['x-amz-invocation-type']])
      const fail = (status: number, type: string) =>
        response.writeHead(status, { 'x-amzn-errortype': type }).end(JSON.stringify({ Type: 'User', Message: type }))
      if (isRefusing && payload === '{"orderId":3}') return fail(400, 'InvalidRequestContentException')
      if ((executions.get(name) ?? payload) !== payload) return fail(409, 'DurableExecutionAlreadyStartedException')
      executions.set(name, payload)
      response.writeHead(202).end()
    })
    useEndpoint('LAMBDA', endpoint)
    const FunctionName = 'arn:aws:lambda:eu-west-1:123456789012:function:orders:live'
    Object.assign(process.env, { DURABLE_FUNCTION: FunctionName, MAXIMUM_CONCURRENCY: '30' }) // 0.9 × 300 ÷ 30 = 9 per second
    const { handler } = await import('../../examples/start-durable.ts')

    const { starts, until } = requestClock(t)
    const event = sqsEvent(Array.from({ length: 12 }, (_, orderId) => ({ orderId })))
    const { Records } = event
    const refused = Records[3]
    let result = await logged(async () => {
      const { failed } = await until(invoke(handler, event))
      t.strictSame(failed, [refused])
    })
    t.match(result[0], /1 of 12 records of my-queue failed/)
    t.match(result[0], /1 × InvalidRequestContentException/)
    const started = Records.filter((record) => record !== refused).map(({ messageId, body }) => [messageId, body])
    t.strictSame(new Set(executions), new Set(started))
    t.strictSame(
      new Set(calls.map((call) => JSON.stringify(call))),
      new Set([
        JSON.stringify(['POST', `/2015-03-31/functions/${encodeURIComponent(FunctionName)}/invocations`, 'Event']),
      ]),
    )
    t.strictSame(starts, [...Array(9).fill(0), ...Array(3).fill(1001)])

    // The messages are delivered again, for example because the function crashed before it responded.
    isRefusing = false
    const again = Records.slice(0, 5).map((record) => ({ ...record, receiptHandle: 'another' }))
    result = await logged(async () => t.strictSame((await until(invoke(handler, { Records: again }))).failed, []))
    t.strictSame(result, [])
    t.strictSame(new Set(executions), new Set(Records.map(({ messageId, body }) => [messageId, body])))
  },
)
