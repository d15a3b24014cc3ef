import t from 'tap'
import { addReason, listReasons, logReasons, type Reasons, toReason } from '../../src/sqs/reasons.ts'

t.test('the three most frequent reasons are listed, and the number of the others', async (t) => {
  const reasons: Reasons = new Map()
  addReason(reasons, 'a')
  addReason(reasons, 'b', 2)
  addReason(reasons, 'c', 2)
  addReason(reasons, 'c')
  t.equal(listReasons(reasons), '3 × c; 2 × b; 1 × a')
  addReason(reasons, 'd')
  addReason(reasons, 'e')
  t.equal(listReasons(reasons), '3 × c; 2 × b; 1 × a; other reasons: 2')
})

t.test('one line says for how many records there is a reason; without one, nothing is logged', async (t) => {
  const lines: unknown[] = []
  const reasons: Reasons = new Map()
  const log = () =>
    logReasons(
      (error) => lines.push(error.stack),
      reasons,
      (count) => `${count} records failed`,
    )
  log()
  t.strictSame(lines, [])
  addReason(reasons, 'a', 2)
  addReason(reasons, 'b')
  log()
  t.strictSame(lines, ['Error: 3 records failed: 2 × a; 1 × b'])
})

t.test('a reason shows the permission that is missing, and for which queue', async (t) => {
  const user =
    'arn:aws:sts::123456789012:assumed-role/Orders-FunctionServiceRole675BB04A-AbCdEfGhIjKl/Orders-Function2DF8AE1F'
  const missing = 'sqs:sendmessage on resource: arn:aws:sqs:eu-west-1:123456789012:orders-dead'
  const why = 'because no identity-based policy allows the sqs:sendmessage action'
  t.match(toReason('AccessDenied', `User: ${user} is not authorized to perform: ${missing} ${why}`), missing)
})

t.test('a reason is one line of at most 300 characters, without the value that SQS quotes', async (t) => {
  const cases: [name: string | undefined, message: string | undefined, reason: string][] = [
    ['Code', 'text', 'Code: text'],
    ['Code', undefined, 'Code'],
    [undefined, 'text', 'an error without a code: text'],
    ['Code', ' two\n\tlines ', 'Code: two lines '],
    ['Code', 'x'.repeat(294), `Code: ${'x'.repeat(294)}`],
    ['Code', 'x'.repeat(295), `Code: ${'x'.repeat(293)}…`],
    ['Code', 'Value a for parameter B is invalid', 'Code: Value … for parameter B is invalid'],
    ['Code', `Value ${'a'.repeat(1000)} for parameter B`, 'Code: Value … for parameter B'],
    ['Code', 'Value Value a for parameter for parameter B', 'Code: Value … for parameter B'],
    ['Value a for parameter B', undefined, 'Value … for parameter B'],
    ['Code', 'Value a', 'Code: Value a'],
    ['Code', 'nothing for parameter B', 'Code: nothing for parameter B'],
    ['Code', 'nothing for parameter Value', 'Code: nothing for parameter Value'],
    ['Code', 'nothing for parameter B: Value a', 'Code: nothing for parameter B: Value a'],
  ]
  for (const [name, message, reason] of cases) t.equal(toReason(name, message), reason)
})
