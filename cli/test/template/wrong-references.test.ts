// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { createReader } from '../../src/template/reader.ts'
import { createResolver } from '../../src/template/resolve.ts'
import { undefinedNames, wrongReferences } from '../../src/template/wrong-references.ts'
import { cloudFormation, findingsIn, getAtt, ids, sam } from '../support/templates.ts'

const PARAMETER = 'there is no parameter or resource with this name in the template'
const RESOURCE = 'there is no resource with this name in the template'
const CONDITION = 'there is no condition with this name in the template'

function sections(template: object) {
  return {
    Parameters: { Stage: { Type: 'String', Default: 'dev' } },
    Conditions: { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } },
    ...template,
  }
}

for (const [title, change, reason, fix] of [
  [
    'the queue of a mapping',
    { mapping: { EventSourceArn: getAtt('Qeueue') } },
    `Qeueue: ${RESOURCE}`,
    'Correct the name. Did you mean Queue?',
  ],
  [
    'the function of a mapping',
    { mapping: { FunctionName: { Ref: 'Handlr' } } },
    `Handlr: ${PARAMETER}`,
    'Correct the name. Did you mean Handler?',
  ],
  [
    'a setting',
    { mapping: { FunctionResponseTypes: { Ref: 'Types' } } },
    `Types: ${PARAMETER}`,
    'Correct the name, or define it.',
  ],
  [
    'a text',
    { mapping: { EventSourceArn: { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Stge}' } } },
    `Stge: ${PARAMETER}`,
    'Correct the name. Did you mean Stage?',
  ],
  [
    'a part of another function',
    { mapping: { FunctionName: { 'Fn::Join': [':', [{ Ref: 'Gone' }, '$LATEST']] } } },
    `Gone: ${PARAMETER}`,
    'Correct the name, or define it.',
  ],
  [
    'a condition',
    { queue: { VisibilityTimeout: { 'Fn::If': ['IsPord', 1, 2] } } },
    `IsPord: ${CONDITION}`,
    'Correct the name. Did you mean IsProd?',
  ],
  [
    'an attribute of a parameter',
    { queue: { VisibilityTimeout: { 'Fn::GetAtt': 'Stage.Value' } } },
    `Stage: ${RESOURCE}`,
    'Correct the name, or define it.',
  ],
] as const) {
  test(`a name that the template does not define, in ${title}: one error`, async (t) => {
    const findings = await findingsIn(t, sections(cloudFormation(change)))
    const [finding, ...more] = findings
    t.strictSame(more, [])
    t.match(finding, { rule: 'invalid-value', severity: 'error', fix, line: /^\d+$/ })
    t.equal(finding?.message, `${reason}. AWS rejects this value. Checks that depend on it were skipped.`)
  })
}

test('the condition of a resource, and names in conditions', async (t) => {
  const { Resources } = cloudFormation()
  const Queue = { ...Resources.Queue, Condition: 'IsPord' }
  const Conditions = { Other: { 'Fn::Not': [{ Condition: 'Gone' }] }, Dev: { 'Fn::Equals': [{ Ref: 'Stge' }, 'dev'] } }
  const Dead = { ...Resources.Dead, Condition: 'Other' }
  const Orders = { ...Resources.Orders, Condition: 'Dev' }
  const Parameters = { Stage: { Type: 'String', Default: 'dev' } }
  const findings = await findingsIn(t, { Parameters, Conditions, Resources: { ...Resources, Queue, Dead, Orders } })
  const wrong = findings.filter(({ rule }) => rule === 'invalid-value')
  t.strictSame(
    wrong.map(({ rule, resource, message }) => `${rule} ${resource}: ${message.split('.')[0]}`),
    [
      `invalid-value Other: Gone: ${CONDITION}`,
      `invalid-value Dev: Stge: ${PARAMETER}`,
      `invalid-value Queue: IsPord: ${CONDITION}`,
    ],
  )
})

test('undefined names in what is not read are no finding: cfn-lint reports them', async (t) => {
  const Unused = { 'Fn::Equals': [{ Ref: 'Gone' }, 'dev'] }
  const Environment = { Variables: { A: { Ref: 'Gone' }, B: { 'Fn::GetAtt': ['Gone', 'Arn'] } } }
  const Parameters = { Stage: { Type: 'String', Default: 'dev' } }
  const template = cloudFormation({
    function: { Environment, KmsKeyArn: { Ref: 'Gone' } },
    queue: { KmsMasterKeyId: { Ref: 'Gone' } },
  })
  t.strictSame(ids(await findingsIn(t, { Parameters, Conditions: { Unused }, ...template })), [])
})

test('a file that is part of a template: one warning, and no errors about its names', async (t) => {
  const change = {
    function: { Timeout: { Ref: 'Seconds' }, KmsKeyArn: { 'Fn::GetAtt': ['Key', 'Arn'] } },
    queue: { QueueName: { 'Fn::Sub': '${Environment}-orders' } },
  }
  for (const template of [sam(change), cloudFormation(change)]) {
    const [finding, ...more] = await findingsIn(t, template)
    t.match(finding, { rule: 'incomplete-template', severity: 'warning', line: 1 })
    t.match(
      finding?.message,
      /^The file does not define (Seconds, Key, Environment|Key, .*|Seconds, .*)\. The file seems to be part/,
    )
    t.strictSame(ids(more), ['not-checked Handler'])
    const Parameters = { Stage: { Type: 'String', Default: 'dev' } }
    t.strictSame(ids(await findingsIn(t, { ...template, Parameters })), [
      'invalid-value Handler',
      'invalid-value Queue',
    ])
  }
})

test('names that the template defines are no errors', async (t) => {
  const Environment = {
    Variables: {
      A: { 'Fn::Sub': ['${Own}-${!Literal}-${ Stage }-${AWS::Region}-${Queue.Arn}', { Own: { Ref: 'AWS::StackId' } }] },
      B: { 'Fn::If': ['IsProd', { Ref: 'AWS::NoValue' }, { 'Fn::GetAtt': ['Dead', 'Arn'] }] },
      C: { Condition: 'Gone' },
    },
  }
  t.strictSame(ids(await findingsIn(t, sections(cloudFormation({ function: { Environment } })))), [])
})

const GONE = { mapping: { FunctionResponseTypes: { Ref: 'Gone' } } }
const LOOP = { 'Fn::ForEach::More': ['Name', ['x'], { '${Name}': {} }] }
for (const [title, template] of [
  ['a macro', { ...cloudFormation(GONE), Transform: ['AWS::Serverless-2016-10-31', 'OurMacro'] }],
  ['language extensions', { ...cloudFormation(GONE), Transform: 'AWS::LanguageExtensions' }],
  ['a macro with an unknown name', { ...cloudFormation(GONE), Transform: { Ref: 'Macro' } }],
  ['a section of another tool', { ...cloudFormation(GONE), Modules: {} }],
  ['a loop', { Resources: { ...cloudFormation(GONE).Resources, ...LOOP } }],
  ['a tag of another tool', JSON.stringify(cloudFormation(GONE)).replace('{', '{ Description: !Tool x, ')],
] as const) {
  test(`with ${title}, any name may be defined: a warning says so`, async (t) => {
    const text = typeof template === 'string' ? `# YAML\n${template}` : template
    const findings = await findingsIn(t, text)
    t.ok(findings.some(({ severity, message }) => severity === 'warning' && message.includes('Gone is not defined')))
    t.notOk(findings.some(({ severity }) => severity === 'error'))
  })
}

for (const [samName, moduleName] of [
  ['HandlerRole', 'WorkerRole'],
  ['ServerlessRestApi', 'ServerlessRestApi'],
] as const) {
  test(`SAM may add ${samName}, and a module ${moduleName}: a warning says so`, async (t) => {
    const refTo = (name: string) => ({ mapping: { FunctionResponseTypes: { Ref: name } } })
    t.strictSame(ids(await findingsIn(t, sam(refTo(samName)))), ['report-batch-item-failures Handler/Orders'])
    const { Resources } = cloudFormation(refTo(moduleName))
    const Worker = { Type: 'My::Org::Worker::MODULE' }
    t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Worker } })), [
      'report-batch-item-failures Orders',
      'not-checked Worker',
    ])
    t.strictSame(ids(await findingsIn(t, { Resources })), ['invalid-value Orders'])
  })
}

test('SAM: a name that it does not add is an error', async (t) => {
  const findings = await findingsIn(t, sam({ mapping: { Queue: getAtt('Orders') } }))
  t.strictSame(ids(findings), ['invalid-value Handler'])
})

test('SAM: a name that begins with that of a queue is an error, unless the queue has connectors', async (t) => {
  const template = sam({ mapping: { Queue: { Ref: 'QueueArn' } } })
  const [finding, ...more] = await findingsIn(t, template)
  t.strictSame(more, [])
  t.match(finding, { rule: 'invalid-value', fix: 'Correct the name, or define it.' })
  const Queue = { ...template.Resources.Queue, Connectors: {} }
  t.strictSame(ids(await findingsIn(t, { ...template, Resources: { ...template.Resources, Queue } })), [
    'not-checked Handler/Orders',
  ])
})

for (const [written, meant] of [
  ['!GetAt Queue.Arn', '!GetAtt'],
  ['!getatt Queue.Arn', '!GetAtt'],
  ['!Subb "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders"', '!Sub'],
  ['{ Fn::GetAt: [Queue, Arn] }', 'Fn::GetAtt'],
  ['{ Fn::Ref: Queue }', 'Ref'],
  ['!If [Never, !GetAt Queue.Arn, !GetAtt Queue.Arn]', '!GetAtt'],
] as const) {
  test(`a misspelled function is an error: ${written}`, async (t) => {
    const { Orders, ...others } = cloudFormation({ mapping: { BatchSise: 5 } }).Resources
    const { EventSourceArn: _, ...properties } = Orders.Properties
    const text = `Conditions: { Never: !Equals [a, b] }
Resources:
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: ${written}
${Object.entries(properties)
  .map(([name, value]) => `      ${name}: ${JSON.stringify(value)}\n`)
  .join('')}${Object.entries(others)
  .map(([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`)
  .join('')}`
    const [finding, second, ...more] = await findingsIn(t, text)
    t.strictSame(ids(more), [])
    const [name = ''] = /(!|Fn::)\w+(?= |:)(?<!!If)/.exec(written) ?? []
    t.match(finding, { rule: 'invalid-value', line: 6, fix: `Correct the name. Did you mean ${meant}?` })
    t.match(finding?.message, `there is no function ${name}. `)
    t.match(second?.message, 'there is no property BatchSise. ', 'the rest of the template is checked')
  })
}

const REGION = 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders'
for (const [title, change, resource, reason] of [
  [
    'a mapping',
    { mapping: { Queue: REGION, EventSourceArn: REGION } },
    'mapping',
    '(Queue|EventSourceArn) contains ${AWS::Region}',
  ],
  [
    'a redrive policy',
    { queue: { RedrivePolicy: { deadLetterTargetArn: REGION, maxReceiveCount: 5 } } },
    'Queue',
    'deadLetterTargetArn contains ${AWS::Region}',
  ],
  [
    'a redrive policy that is text',
    { queue: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: REGION, maxReceiveCount: '5' }) } },
    'Queue',
    'RedrivePolicy contains ${AWS::Region}',
  ],
  ['the name of a queue', { queue: { QueueName: 'orders-${ Stage }' } }, 'Queue', 'QueueName contains ${ Stage }'],
  [
    'the name of a function',
    { function: { FunctionName: 'orders-${Queue.QueueName}' } },
    'Handler',
    'FunctionName contains ${Queue.QueueName}',
  ],
] as const) {
  test(`a variable that only Fn::Sub replaces is an error in ${title}`, async (t) => {
    for (const [template, mapping] of [
      [{ ...sam(change), Parameters: sections({}).Parameters }, 'Handler'],
      [sections(cloudFormation(change)), 'Orders'],
    ] as const) {
      const [finding, ...more] = await findingsIn(t, template)
      // Each value in the text has a position of its own.
      t.strictSame(ids(more), title.endsWith('that is text') ? ['not-checked Queue'] : [])
      t.match(finding, { rule: 'invalid-value', fix: 'Write !Sub before the text.' })
      t.equal(finding?.resource, resource === 'mapping' ? mapping : resource)
      const pattern = reason.replaceAll(/[${}]/g, '\\$&')
      t.match(finding?.message, new RegExp(`^${pattern}, which CloudFormation replaces only in Fn::Sub\\. `))
    }
  })
}

test('the function of a mapping with a variable that only Fn::Sub replaces is an error', async (t) => {
  const [finding, ...more] = await findingsIn(t, cloudFormation({ mapping: { FunctionName: '${Handler}' } }))
  t.strictSame(more, [])
  t.match(finding, { rule: 'invalid-value', resource: 'Orders', fix: 'Write !Sub before the text.' })
})

test('a variable that another tool may replace is no error', async (t) => {
  const change = { mapping: { EventSourceArn: 'arn:aws:sqs:${REGION}:123456789012:orders' } }
  t.strictSame(ids(await findingsIn(t, cloudFormation(change))), ['not-checked Orders'])
  const own = cloudFormation({ mapping: { EventSourceArn: REGION } })
  t.strictSame(ids(await findingsIn(t, { ...own, provider: {} })), ['not-checked Orders'])
  const Environment = { Variables: { QueueName: REGION } }
  t.strictSame(ids(await findingsIn(t, cloudFormation({ function: { Environment } }))), [])
})

/** A template whose queue has a condition, and whose mapping has this condition and refers to its queue in this way. */
function withCondition(Condition: string | undefined, reference: unknown) {
  const { Resources } = cloudFormation({ mapping: { EventSourceArn: reference } })
  const { Queue, Orders } = Resources
  const Second = cloudFormation({ mapping: { EventSourceArn: getAtt('Dead') } }).Resources.Orders
  return sections({
    Resources: { ...Resources, Queue: { ...Queue, Condition: 'IsProd' }, Orders: { ...Orders, Condition }, Second },
  })
}

const IF = { 'Fn::If': ['IsProd', getAtt('Queue'), getAtt('Dead')] }
for (const [title, condition, reference, isError] of [
  ['by Fn::GetAtt', undefined, getAtt('Queue'), true],
  ['by Fn::Sub', undefined, { 'Fn::Sub': '${Queue.Arn}' }, true],
  ['from a resource with the same condition', 'IsProd', getAtt('Queue'), false],
  ['in Fn::If', undefined, IF, false],
] as const) {
  test(`a reference to a resource whose condition is false, ${title}: ${isError ? 'an' : 'no'} error`, async (t) => {
    const template = withCondition(condition, reference)
    const errors = async (parameters = {}) =>
      (await findingsIn(t, template, {}, parameters)).filter(({ severity }) => severity === 'error')
    const [finding, ...more] = await errors()
    t.strictSame(more, [])
    t.equal(finding?.fix, isError ? 'Give Orders the same condition, or use Fn::If.' : undefined)
    const reason = 'Queue: its condition IsProd is false with these parameters, so it does not exist. '
    if (isError) t.match(finding?.message, reason)
    t.strictSame(await errors({ Stage: 'prod' }), [])
  })
}

function readerOf(text: string) {
  return createReader(createResolver(parseDocument('template.yaml', text), new Map()))
}
/** The wrong references, each with its line and column. */
function wrongIn(text: string) {
  return wrongReferences(readerOf(text)).map(
    ({ id, position: { line, column }, reason }) => `${line}:${column} ${id}: ${reason}`,
  )
}

test('a wrong reference has a position, a fix and the page that describes functions', async (t) => {
  const text = `
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: !Ref Gone } }
`
  t.strictSame(wrongReferences(readerOf(text)), [
    {
      id: 'Queue',
      position: { line: 3, column: 49 },
      reason: `Gone: ${PARAMETER}`,
      fix: 'Correct the name, or define it.',
      source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html',
    },
  ])
})

for (const [value, expected] of [
  ['!Ref Gone', [`49 Queue: Gone: ${PARAMETER}`]],
  ['!Sub "${Gone}"', [`49 Queue: Gone: ${PARAMETER}`]],
  ['!GetAtt Gone.Arn', [`49 Queue: Gone: ${RESOURCE}`]],
  ['!If [Gone, 1, 2]', [`49 Queue: Gone: ${CONDITION}`]],
  ['!Condition Gone', []],
  ['!Join [Gone, [a]]', []],
  ['{ Ref: ~ }', []],
  ['!Ref {}', []],
  ['!GetAtt []', []],
  ['{ Ref: Gone, b: 1 }', []],
  ['{ Fn::Join: !Ref Gone }', [`49 Queue: Gone: ${PARAMETER}`]],
  ['{ MyRef: !Ref Gone }', [`65 Queue: Gone: ${PARAMETER}`]],
  ['{ Reference: !Ref Gone }', [`65 Queue: Gone: ${PARAMETER}`]],
  ['{ Conditional: !Ref Gone }', [`65 Queue: Gone: ${PARAMETER}`]],
] as const) {
  test(`the position of a wrong reference is that of the outermost function: ${value}`, async (t) => {
    const found = wrongIn(`
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: ${value} } }
`)
    const lines = expected.map((one) => `3:${one}`)
    t.strictSame(found, lines)
  })
}

test('the conditions that are used are checked once, and those of other stacks are not', async (t) => {
  const found = wrongIn(`
Conditions:
  A: !Condition Gone
  B: !Not [!Condition Lost]
  Other/C: !Condition Gone
  Unused: !Condition Gone
Resources:
  Queue: { Type: AWS::SQS::Queue, Condition: A, Properties: { DelaySeconds: !If [B, 1, 2] } }
  Other/Queue: { Type: AWS::SQS::Queue, Condition: Other/C, Properties: { DelaySeconds: !Ref Gone } }
`)
  t.strictSame(found, [`3:3 A: Gone: ${CONDITION}`, `4:3 B: Lost: ${CONDITION}`])
})

for (const [type, value, kind] of [
  ['AWS::Serverless::Function', '!Ref OneRole', undefined],
  ['AWS::Serverless::Function', '!Ref ServerlessRestApi', undefined],
  ['AWS::Serverless::Function', '!Ref MyServerlessRestApi', PARAMETER],
  ['AWS::Serverless::Function', '!Ref CodeDeployServiceRole', undefined],
  ['AWS::Serverless::Function', '!If [OneRole, 1, 2]', CONDITION],
  ['My::AWS::Serverless::Function', '!Ref OneRole', PARAMETER],
  ['My::One::MODULE', '!Ref OneRole', undefined],
  ['My::One::MODULE::Two', '!Ref OneRole', PARAMETER],
  ['AWS::S3::Bucket', '!Ref OneRole', PARAMETER],
  ['AWS::S3::Bucket', '!Ref ServerlessRestApi', PARAMETER],
] as const) {
  test(`${value} beside a resource of type ${type} is ${kind === undefined ? 'no error' : 'an error'}`, async (t) => {
    const found = wrongIn(`
Transform: AWS::Serverless-2016-10-31
Resources:
  One: { Type: ${type} }
  Queue: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: ${value} } }
`)
    const [, name] = /(\w+)(?:$|,)/.exec(value) ?? []
    t.strictSame(found, kind === undefined ? [] : [`5:49 Queue: ${name}: ${kind}`])
  })
}

test('a variable that only Fn::Sub replaces, in an event of SNS, and after one that another tool may replace', async (t) => {
  const found = wrongIn(`
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: '\${STAGE}-\${!Queue}-\${ Queue.Arn }' } }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        One:
          Type: SNS
          Properties:
            SqsSubscription:
              QueueArn: arn:aws:sqs:\${AWS::Region}:123456789012:orders
  Other/Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: '\${Queue}' } }
`)
  const END = 'which CloudFormation replaces only in Fn::Sub'
  t.strictSame(found, [
    `3:49 Queue: QueueName contains \${ Queue.Arn }, ${END}`,
    `12:15 Handler: QueueArn contains \${AWS::Region}, ${END}`,
  ])
})

for (const [values, expected] of [
  ['!Ref Gone, !Ref Lost', ['Gone', 'Lost']],
  ['!Ref Gone, !Ref Gone', []],
  ['!Ref Gone, !Ref Queue', []],
  ['!Ref Gone, !If [Dev, 1, 2]', []],
  ['!Ref Gone, !Ref AWS::Region', []],
  ['!Ref Gone, !Ref a-b', []],
  ['!Ref Gone, !Ref Gone-', []],
  ['!Ref Gone, !Ref -Gone', []],
] as const) {
  test(`the names that a file does not define: ${values}`, async (t) => {
    const reader = readerOf(`
Conditions: { Dev: !Equals [a, a] }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { Tags: [${values}] } }
`)
    t.strictSame(undefinedNames(reader), expected)
  })
}
