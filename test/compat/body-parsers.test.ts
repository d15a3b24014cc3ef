import { createRequire } from 'node:module'
import { SqsEnvelope } from '@aws-lambda-powertools/parser/envelopes/sqs'
import { JSONStringified } from '@aws-lambda-powertools/parser/helpers'
import { parser } from '@aws-lambda-powertools/parser/middleware'
import { SqsSchema } from '@aws-lambda-powertools/parser/schemas'
import middy from '@middy/core'
import eventNormalizer from '@middy/event-normalizer'
import t from 'tap'
import { z } from 'zod'
import { boundedSqsBatch, eachRecord, InvalidBodyError } from '../../src/index.ts'
import { lambdaContext } from '../support/compat.ts'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'

// The package is CommonJS, but its types declare a default export.
const sqsJsonBodyParser: typeof eventNormalizer = createRequire(import.meta.url)('@middy/sqs-json-body-parser')

function eventOf(...bodies: string[]) {
  return { Records: bodies.map((body, index) => sqsRecord(`m${index}`, { body })) }
}
const Order = z.object({ id: z.number() })

t.test('sqs-json-body-parser 2, used before or after: handlers get parsed bodies', async (t) => {
  for (const middlewares of [
    [sqsJsonBodyParser(), boundedSqsBatch({ logger: false })],
    [boundedSqsBatch({ logger: false }), sqsJsonBodyParser()],
  ]) {
    const bodies: unknown[] = []
    const handler = middy()
      .use(middlewares)
      .handler(
        eachRecord(({ body }) => {
          bodies.push(body)
          if (typeof body === 'string') throw new Error('not parsed')
        }),
      )
    t.strictSame(failed(await handler(eventOf('{"id":1}', '{"id":'), lambdaContext())), ['m1'])
    t.strictSame(bodies, [{ id: 1 }, '{"id":'])
  }
})

for (const [name, parsesBodies] of [
  ['event-normalizer', eventNormalizer],
  ['sqs-json-body-parser', sqsJsonBodyParser],
] as const) {
  t.test(`the option \`body\` fails records whose text ${name} has parsed`, async (t) => {
    const reasons: unknown[] = []
    function run(...middlewares: ReturnType<typeof parsesBodies>[]) {
      const handler = middy()
        .use([...middlewares, boundedSqsBatch({ logger: (error) => reasons.push(error) })])
        .handler(eachRecord(({ body }) => t.equal(body.id, 1), { body: Order }))
      return handler(eventOf('{"id":1}'), lambdaContext())
    }
    t.strictSame(failed(await run(parsesBodies())), ['m0'])
    t.match(reasons, [{ code: 'ERR_INVALID_BODY', message: 'Expected a body of JSON text, got an object' }])
    t.strictSame(failed(await run()), [])
  })
}

t.test(
  `a body that event-normalizer cannot read fails the batch; with \`body\`, it fails only its record`,
  async (t) => {
    const odd = eventOf('{"id":1}', '{"Records":[]}')
    const normalized = middy()
      .use([eventNormalizer(), boundedSqsBatch({ logger: false })])
      .handler(eachRecord(() => {}))
    await t.rejects(normalized(structuredClone(odd), lambdaContext()), TypeError)
    const parsed = middy()
      .use(boundedSqsBatch({ logger: false }))
      .handler(eachRecord(() => {}, { body: Order }))
    t.strictSame(failed(await parsed(odd, lambdaContext())), ['m1'])
  },
)

t.test('the parser of Powertools as an earlier middleware: one bad record fails the batch', async (t) => {
  const ids: unknown[] = []
  const handler = middy()
    .use(parser({ schema: SqsSchema }))
    .use(boundedSqsBatch({ logger: false }))
    .handler(
      eachRecord(({ messageId }) => {
        ids.push(messageId)
        if (messageId === 'm1') throw new Error('m1 failed')
      }),
    )
  const event = eventOf('{"id":1}', '{"id":2}')
  for (const record of event.Records) record.md5OfBody = 'd41d8cd98f00b204e9800998ecf8427e'
  t.strictSame(failed(await handler(event as never, lambdaContext())), ['m1'])
  t.strictSame(ids, ['m0', 'm1'])
  delete (event.Records[0] as { body?: string }).body
  await t.rejects(handler(event as never, lambdaContext()), { name: 'ParseError' }, 'one bad record fails the batch')
})

t.test(`a Powertools parser with an envelope fails the batch; \`body\` accepts its schema`, async (t) => {
  const envelope = parser({ schema: JSONStringified(Order), envelope: SqsEnvelope }) as ReturnType<
    typeof eventNormalizer
  >
  let started = 0
  for (const [middlewares, error] of [
    [[envelope, boundedSqsBatch()], { code: 'ERR_INVALID_SQS_EVENT' }],
    [[boundedSqsBatch(), envelope], { name: 'TypeError', message: /read only property 'event'/ }],
  ] as const) {
    const handler = middy()
      .use([...middlewares])
      .handler(eachRecord(() => started++))
    await t.rejects(handler(eventOf('{"id":1}'), lambdaContext()), error)
  }
  t.equal(started, 0)
  const reasons: unknown[] = []
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error) => reasons.push(error) }))
    .handler(eachRecord(({ body }) => t.equal(body.id, 1), { body: Order }))
  t.strictSame(failed(await handler(eventOf('{"id":1}', '{"id":"2"}'), lambdaContext())), ['m1'])
  t.ok(reasons[0] instanceof InvalidBodyError)
})
