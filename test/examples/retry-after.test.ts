import type { Context } from 'aws-lambda'
import t from 'tap'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { useEndpoint } from '../support/services.ts'
import { startSqs } from '../support/sqs.ts'

t.test('retry-after.ts waits for the seconds or the date in Retry-After', async (t) => {
  const sqs = await startSqs(t)
  useEndpoint('SQS', sqs.endpoint)
  const httpDate = (seconds: number) => new Date(Date.now() + 1000 * seconds).toUTCString()
  const responses: Record<string, [status: number, retryAfter?: string]> = {
    'm0 200': [200, '600'],
    'm1 500': [500, '600'],
    'm2 429': [429],
    'm3 429': [429, '600'],
    'm4 503': [503, httpDate(1200)],
    'm5 503': [503, httpDate(-60)],
    'm6 503': [503, 'soon'],
  }
  const { fetch: trueFetch } = globalThis
  process.env.DOWNSTREAM_URL = 'http://downstream.test'
  globalThis.fetch = async (url, init) => {
    if (url !== process.env.DOWNSTREAM_URL) return trueFetch(url, init) // the proxy of SQS calls it, too
    const [status, after] = responses[String(init?.body)] ?? [404]
    return new Response('', { status, headers: after === undefined ? {} : { 'retry-after': after } })
  }
  t.teardown(() => {
    globalThis.fetch = trueFetch
  })
  const { handler } = await import('../../examples/retry-after.ts')
  const Records = Object.keys(responses).map((body, index) => sqsRecord(`m${index}`, { body }))
  await logged(async () =>
    t.strictSame(failed(await handler({ Records }, {} as Context)), ['m1', 'm2', 'm3', 'm4', 'm5', 'm6']),
  )
  const delays = sqs.calls.flatMap(({ input }) => input.Entries).map(({ VisibilityTimeout }) => VisibilityTimeout)
  const asked = [0, 0, 600, 1200, 0, 0]
  t.equal(delays.length, asked.length)
  for (const [index, seconds] of asked.entries()) {
    const elapsed = index === 3 ? 60 : 0 // a date comes nearer while the test runs
    t.ok(delays[index] >= seconds + 15 - elapsed && delays[index] <= seconds + 30, `${delays[index]}`)
  }
})
