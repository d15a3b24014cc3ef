// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { valueIn } from '../../src/model/setting.ts'
import { fifo } from '../support/rule-cases.ts'
import { type Change, findingsIn, ids, only, read, sam, short, withVisibility } from '../support/templates.ts'

test('an unknown value gives one finding, and no other finding about it', async (t) => {
  const findings = await findingsIn(t, sam({ queue: { VisibilityTimeout: { 'Fn::ImportValue': 'seconds' } } }))
  t.strictSame(ids(findings), ['not-checked Queue'])
  t.match(findings[0], {
    severity: 'info',
    message: 'Not checked: VisibilityTimeout. Reason: Fn::ImportValue seconds comes from another stack.',
  })
})

for (const [title, deadLetterTargetArn, said] of [
  ['an import', { 'Fn::ImportValue': 'x' }, 'its dead-letter queue'],
  [
    'an ARN whose name is a dynamic reference',
    'arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/name}}',
    'arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/name}}',
  ],
  [
    'an ARN whose name ends with an attribute',
    { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:dead-${Handler.Name}' },
    'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:dead-${Handler.Name}',
  ],
] as const) {
  test(`a dead-letter queue of unknown kind is listed: ${title}`, async (t) => {
    async function whatOf(change: Change) {
      const RedrivePolicy = { deadLetterTargetArn, maxReceiveCount: 5 }
      const findings = await findingsIn(t, sam({ ...change, queue: { ...change.queue, RedrivePolicy } }))
      return findings.map(
        ({ rule, resource, message }) => `${rule} ${resource}: ${message.replace(/\. Reason: .*/, '')}`,
      )
    }
    t.strictSame(await whatOf(fifo({})), [`not-checked Queue: Not checked: whether ${said} is a FIFO queue`])
    t.strictSame(await whatOf({}), [
      `not-checked Queue: Not checked: the retention of ${said}, and whether it is a FIFO queue`,
    ])
  })
}

test('the kind of a dead-letter queue in another stack is known if the end of its name is known', async (t) => {
  async function kindOf(name: string) {
    const deadLetterTargetArn = { 'Fn::Sub': `arn:aws:sqs:\${AWS::Region}:\${AWS::AccountId}:${name}` }
    const RedrivePolicy = { deadLetterTargetArn, maxReceiveCount: 5 }
    const { mappings } = await read(t, sam({ queue: { RedrivePolicy } }))
    return short(valueIn(only(mappings).queue.redrive)?.deadLetterQueue.fifo)
  }
  t.equal(await kindOf('${Handler.Name}.fifo'), true)
  t.equal(await kindOf('${Handler.Name}-dead'), false)
  t.equal(await kindOf('dead-${AWS::StackName}'), false, 'a name of a stack has no dot')
})

test('a long chain of conditions gives a reason, and does not overflow the stack', async (t) => {
  const links = Array.from({ length: 20_000 }, (_, n) => `  Link${n}: !Not [!Condition Link${n + 1}]\n`)
  const text = withVisibility('!If [Link0, 1, 2]').replace('Conditions:\n', `Conditions:\n${links.join('')}`)
  const { mappings } = await read(t, text)
  t.equal(short(only(mappings).queue.visibilityTimeout), 'it refers to itself, or is nested too deeply')
})

test('a value that AWS rejects gives a finding with the accepted values and the page of AWS', async (t) => {
  const finding = async (change: Change) => (await findingsIn(t, sam(change)))[0]
  t.match(await finding({ queue: { VisibilityTimeout: 50_000 } }), {
    rule: 'invalid-value',
    severity: 'error',
    resource: 'Queue',
    message:
      'VisibilityTimeout: 50000 is outside of the range that AWS accepts (0 to 43,200). AWS rejects this value. Checks that depend on it were skipped.',
    fix: 'Set a whole number in this range: 0 to 43,200.',
    source: /API_SetQueueAttributes/,
  })
  t.match(await finding({ mapping: { BatchSize: 'soon' } }), {
    fix: 'Set a whole number.',
    source: /API_CreateEventSourceMapping/,
  })
  t.match(await finding({ function: { Timeout: 901 } }), {
    fix: 'Set a whole number in this range: 1 to 900.',
    source: /API_CreateFunction/,
  })
})
