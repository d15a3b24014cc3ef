import t from 'tap'
import { sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

t.test(
  'validated-body.ts fails records with a bad body and sends mails for the others with the output of the schema',
  async (t) => {
    const mails: Record<string, unknown> = {}
    process.env.MAIL_URL = await startDownstream(t, ({ idempotencyKey, body }) => {
      mails[idempotencyKey as string] = JSON.parse(body)
      return idempotencyKey === 'refused' ? 422 : 202
    })
    const { handler } = await import('../../examples/validated-body.ts')

    const bodies = {
      full: '{"email":"ada@example.com","plan":"team","seats":5}',
      'not-json': '{"email":"grace@example.com"',
      defaulted: '{"email":"alan@example.com","plan":"free"}',
      'bad-email': '{"email":"nobody-at-example","plan":"free"}',
      refused: '{"email":"edsger@example.com","plan":"free"}',
      'bad-seats': '{"email":"barbara@example.com","plan":"team","seats":0.25}',
    }
    const event = { Records: Object.entries(bodies).map(([id, body]) => sqsRecord(id, { body })) }
    let response = { batchItemFailures: [] }
    const log = await logged(async () => {
      response = await handler(event, timedContext(LONG))
    })

    t.strictSame(failed(response), ['not-json', 'bad-email', 'refused', 'bad-seats'])
    t.strictSame(mails, {
      full: { to: 'ada@example.com', template: 'welcome-team', seats: 5 },
      defaulted: { to: 'alan@example.com', template: 'welcome-free', seats: 1 },
      refused: { to: 'edsger@example.com', template: 'welcome-free', seats: 1 },
    })
    t.equal(log.length, 1)
    t.match(log[0], /^middy-bounded-sqs-batch: 4 of 6 records of orders failed; [^\n]+\n/)
    t.match(log[0], /InvalidBodyError: The body is not valid JSON \[not-json\]/)
    t.match(log[0], /InvalidBodyError: The body does not match the schema: 1 issue at email \[bad-email\]/)
    t.match(log[0], /InvalidBodyError: The body does not match the schema: 1 issue at seats \[bad-seats\]/)
    t.notMatch(log[0], /grace|nobody|barbara|0\.25/, 'the log quotes no body')
  },
)
