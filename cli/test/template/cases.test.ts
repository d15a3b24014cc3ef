import type { Test } from 'tap'
import { test } from 'tap'
import { check } from '../../src/doctor/check.ts'
import { parseTemplate, readCases } from '../../src/template/read-template.ts'
import { type Change, cdkOutput, cloudFormation, sam } from '../support/templates.ts'

type Given = Record<string, string>

/** The findings in all cases of a template: the rule, and the last sentence if it names a case. */
function found(template: object, given: Given = {}) {
  const models = readCases(parseTemplate('template.json', JSON.stringify(template)), new Map(Object.entries(given)))
  return check(models).map(({ rule, message }) => {
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

test('a condition that is not decided: its values are not checked', (t) => {
  const queue = { VisibilityTimeout: { 'Fn::If': ['IsProd', 20, 185] } }
  const Parameters = { Stage: { Type: 'String' } }
  const Conditions = { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } }
  eachForm(t, { queue }, { Parameters, Conditions }, ['not-checked'])
  eachForm(t, { queue }, { Parameters, Conditions }, ['visibility-below-timeout'], { Stage: 'prod' })
  const allowed = { Stage: { Type: 'String', AllowedValues: ['dev', 'prod'] } }
  const said = ['visibility-below-timeout: This is so with Stage=prod.']
  eachForm(t, { queue }, { Parameters: allowed, Conditions }, said)
  t.end()
})

/** A condition that needs the values of both parameters. */
const BOTH = {
  Conditions: {
    Both: {
      'Fn::And': [{ 'Fn::Equals': [{ Ref: 'A' }, '20'] }, { 'Fn::Equals': [{ Ref: 'B' }, '4'] }],
    },
  },
}

test('one parameter varies at a time: what one of them decides is checked for each of its values', (t) => {
  const Parameters = {
    A: { Type: 'Number', AllowedValues: ['185', '20'] },
    B: { Type: 'Number', AllowedValues: ['5', '4'] },
  }
  const redrive = (count: unknown) => ({
    VisibilityTimeout: { Ref: 'A' },
    RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: count },
  })
  eachForm(t, { queue: redrive({ Ref: 'B' }) }, { Parameters }, [
    'visibility-below-timeout: This is so with A=20.',
    'max-receive-count: This is so with B=4.',
  ])
  eachForm(t, { queue: redrive({ 'Fn::If': ['Both', 1, 5] }) }, { Parameters, ...BOTH }, [
    'visibility-below-timeout: This is so with A=20.',
    'not-checked: This is so with A=20, and in 1 other case.',
  ])
  t.end()
})
