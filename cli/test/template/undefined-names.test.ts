// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
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
  const findings = await findingsIn(t, { Conditions, Resources: { ...Resources, Queue } })
  t.strictSame(
    findings.map(({ rule, resource, message }) => `${rule} ${resource}: ${message.split('.')[0]}`),
    [
      `invalid-value Other: Gone: ${CONDITION}`,
      `invalid-value Dev: Stge: ${PARAMETER}`,
      `invalid-value Queue: IsPord: ${CONDITION}`,
    ],
  )
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
  test(`with ${title}, any name may be defined: it is listed as not checked`, async (t) => {
    const text = typeof template === 'string' ? `# YAML\n${template}` : template
    const findings = await findingsIn(t, text)
    t.ok(findings.some(({ rule, message }) => rule === 'not-checked' && message.includes('Gone is not defined')))
    t.notOk(findings.some(({ severity }) => severity === 'error'))
  })
}

for (const name of ['QueuePolicy', 'ServerlessRestApi']) {
  test(`SAM or a module may add ${name}: it is listed as not checked`, async (t) => {
    const FunctionResponseTypes = { Ref: name }
    t.strictSame(ids(await findingsIn(t, sam({ mapping: { FunctionResponseTypes } }))), ['not-checked Handler/Orders'])
    const { Resources } = cloudFormation({ mapping: { FunctionResponseTypes } })
    const Worker = { Type: 'My::Org::Worker::MODULE' }
    t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Worker } })), [
      'not-checked Orders',
      'not-checked Worker',
    ])
    t.strictSame(ids(await findingsIn(t, { Resources })), ['invalid-value Orders'])
  })
}

test('SAM: a name that it does not add is an error', async (t) => {
  const findings = await findingsIn(t, sam({ mapping: { Queue: getAtt('Orders') } }))
  t.strictSame(ids(findings), ['invalid-value Handler'])
})
