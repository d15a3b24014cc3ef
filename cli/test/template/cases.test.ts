import type { Test } from 'tap'
import { test } from 'tap'
import { check } from '../../src/doctor/check.ts'
import { parseTemplate, readCases } from '../../src/template/read-template.ts'
import { type Change, cdkOutput, cloudFormation, OPTIONS, sam } from '../support/templates.ts'

type Given = Record<string, string>

/** The findings in all cases of a template: the rule, and the last sentence if it names a case. */
function found(template: object, given: Given = {}) {
  const models = readCases(parseTemplate('template.json', JSON.stringify(template)), new Map(Object.entries(given)))
  return check(models, OPTIONS).map(({ rule, message }) => {
    const [, label] = /((?:This is so|The worst case is) .*)$/.exec(message) ?? []
    return label === undefined ? rule : `${rule}: ${label}`
  })
}

const FORMS: readonly [string, (change: Change) => { Resources: object }][] = [
  ['SAM', sam],
  ['CloudFormation', cloudFormation],
  ['CDK', cdkOutput],
]

function withSections(template: object, sections: { Parameters?: object; Conditions?: object; Mappings?: object }) {
  const own = template as typeof sections
  return {
    ...template,
    ...sections,
    Parameters: { ...own.Parameters, ...sections.Parameters },
    Conditions: { ...own.Conditions, ...sections.Conditions },
  }
}

/** Runs a check on a template in each form. */
function eachForm(
  t: Test,
  change: Change,
  sections: Parameters<typeof withSections>[1],
  expected: string[],
  given: Given = {},
) {
  for (const [title, form] of FORMS) t.strictSame(found(withSections(form(change), sections), given), expected, title)
}

const ENV = { Env: { Type: 'String', AllowedValues: ['dev', 'prod'] } }
const BY_ENV = {
  Parameters: ENV,
  Mappings: { Times: { dev: { visibility: 185 }, prod: { visibility: 20 } } },
}
const VISIBILITY = { queue: { VisibilityTimeout: { 'Fn::FindInMap': ['Times', { Ref: 'Env' }, 'visibility'] } } }

test('each allowed value of a parameter without a default is checked, and the finding names the value', (t) => {
  eachForm(t, VISIBILITY, BY_ENV, ['visibility-below-timeout: This is so with Env=prod.'])
  eachForm(t, VISIBILITY, BY_ENV, ['visibility-below-timeout'], { Env: 'prod' })
  eachForm(t, VISIBILITY, BY_ENV, [], { Env: 'dev' })
  t.end()
})

test('if all values break a rule, the finding names the worst', (t) => {
  const Parameters = { Seconds: { Type: 'Number', AllowedValues: [3, 1, 2] } }
  const change = { queue: { RedrivePolicy: undefined, VisibilityTimeout: 5400 }, function: { Timeout: 900 } }
  eachForm(t, change, {}, ['visibility-headroom', 'no-redrive-policy'])
  const counts = { queue: { VisibilityTimeout: { Ref: 'Seconds' } }, function: { Timeout: 4 } }
  eachForm(t, counts, { Parameters }, ['visibility-below-timeout: The worst case is with Seconds=3.'])
  t.end()
})

test('a parameter with a default is not varied', (t) => {
  const Parameters = { Env: { ...ENV.Env, Default: 'dev' } }
  eachForm(t, VISIBILITY, { ...BY_ENV, Parameters }, [])
  t.end()
})

const IF = (condition: string) => ({ queue: { VisibilityTimeout: { 'Fn::If': [condition, 20, 185] } } })
const STAGE = {
  Parameters: { Stage: { Type: 'String' } },
  Conditions: {
    IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
    IsOther: { 'Fn::Not': [{ Condition: 'IsProd' }] },
  },
}

test('both branches of Fn::If are checked: a parameter that a condition compares with a constant', (t) => {
  eachForm(t, IF('IsProd'), STAGE, ['visibility-below-timeout: This is so with Stage=prod.'])
  eachForm(t, IF('IsOther'), STAGE, ['visibility-below-timeout: This is so with another value of Stage.'])
  eachForm(t, IF('IsOther'), STAGE, [], { Stage: 'prod' })
  t.end()
})

test('both branches of Fn::If are checked: a comparison of two values that are not known', (t) => {
  const Parameters = { A: { Type: 'String' }, B: { Type: 'String' } }
  const Conditions = { Same: { 'Fn::Equals': [{ Ref: 'A' }, { Ref: 'B' }] } }
  eachForm(t, IF('Same'), { Parameters, Conditions }, ['visibility-below-timeout: This is so if Same is true.'])
  t.end()
})

test('both branches of Fn::If are checked: the Region', (t) => {
  const Conditions = { Europe: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'eu-west-1'] } }
  eachForm(t, IF('Europe'), { Conditions }, ['visibility-below-timeout: This is so with AWS::Region=eu-west-1.'])
  t.end()
})

test('conditions that exclude each other are never true together', (t) => {
  const { Resources } = cloudFormation({ second: {} }) as { Resources: Record<string, object> }
  const conditional = (first: string, second: string) => ({
    ...STAGE,
    Resources: {
      ...Resources,
      Orders: { ...Resources.Orders, Condition: first },
      Second: { ...Resources.Second, Condition: second },
    },
  })
  t.strictSame(found(conditional('IsProd', 'IsOther')), [])
  t.strictSame(found(conditional('IsProd', 'IsProd')), ['shared-queue: This is so with Stage=prod.'])
  t.end()
})

test('a queue whose condition is false is not there', (t) => {
  const { Resources } = cloudFormation() as { Resources: Record<string, object> }
  const Conditions = { Off: { 'Fn::Equals': ['a', 'b'] } }
  const template = { Conditions, Resources: { ...Resources, Second: { ...Resources.Orders, Condition: 'Off' } } }
  t.strictSame(found(template), [])
  t.end()
})

test('parameters that decide about nothing that is checked are not varied', (t) => {
  const Parameters = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`P${index}`, { Type: 'String', AllowedValues: ['a', 'b', 'c'] }]),
  )
  const Variables = Object.fromEntries(Object.keys(Parameters).map((name) => [name, { Ref: name }]))
  const template = withSections(sam({ function: { Environment: { Variables } } }), { Parameters })
  t.equal(readCases(parseTemplate('template.json', JSON.stringify(template)), new Map()).length, 1)
  t.end()
})

test('with too many combinations, each parameter varies alone', (t) => {
  const values = ['185', '186', '187', '188', '189', '20']
  const Parameters = Object.fromEntries(
    ['A', 'B', 'C'].map((name) => [name, { Type: 'Number', AllowedValues: values }]),
  )
  const change = {
    queue: { VisibilityTimeout: { Ref: 'A' } },
    function: { ReservedConcurrentExecutions: { Ref: 'B' } },
    mapping: { ScalingConfig: { MaximumConcurrency: { Ref: 'C' } } },
  }
  const template = withSections(cloudFormation(change), { Parameters })
  const models = readCases(parseTemplate('template.json', JSON.stringify(template)), new Map())
  t.equal(models.length, 18)
  t.match(found(template)[0], /^visibility-below-timeout: This is so with A=20\.$/)
  t.end()
})

test('an error that needs two assumed values is a warning, because these values may exclude each other', (t) => {
  const Conditions = {
    IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
    IsTest: { 'Fn::Equals': [{ Ref: 'AWS::AccountId' }, '111111111111'] },
    Both: { 'Fn::And': [{ Condition: 'IsProd' }, { Condition: 'IsTest' }] },
  }
  const severities = (template: object) => {
    const text = JSON.stringify(withSections(template, { ...STAGE, Conditions }))
    return check(readCases(parseTemplate('template.json', text), new Map()), OPTIONS).map(({ rule, severity }) => [
      rule,
      severity,
    ])
  }
  for (const [title, form] of FORMS) {
    t.strictSame(severities(form(IF('Both'))), [['visibility-below-timeout', 'warning']], title)
    t.strictSame(severities(form(IF('IsTest'))), [['visibility-below-timeout', 'error']], title)
  }
  t.end()
})

test('a mapping that exists only in one case: its findings name this case', (t) => {
  const { Resources } = cloudFormation({ queue: { VisibilityTimeout: 20 } }) as { Resources: Record<string, object> }
  const template = { ...STAGE, Resources: { ...Resources, Orders: { ...Resources.Orders, Condition: 'IsProd' } } }
  t.strictSame(found(template), ['visibility-below-timeout: This is so with Stage=prod.'])
  t.end()
})
