// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { casesOf } from '../../src/template/cases.ts'
import { parseDocument } from '../../src/template/document.ts'
import type { Links } from '../../src/template/resolve.ts'

/** The cases of a template whose queue has this visibility timeout. */
function casesIn(visibility: string, sections = '', given: Record<string, string> = {}, links?: Links) {
  const text = `${sections}
Resources: { Queue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: ${visibility} } } }
`
  const all = casesOf(parseDocument('template.yaml', text), new Map(Object.entries(given)), links)
  return all.map((one) => ({
    label: one.label,
    given: Object.fromEntries(one.given),
    other: [...one.other],
    verdicts: [...one.verdicts.values()],
    assumed: one.assumed,
  }))
}
const only = { label: '', given: {}, other: [], verdicts: [], assumed: {} }

const BRANCH = '!If [C, 1, 2]'
const allowed = (value: string) => ({ ...only, label: `with P=${value}`, given: { P: value } })
const compared = (value: string) => ({ ...allowed(value), assumed: { P: value } })
const OTHER = { ...only, label: 'with another value of P', other: ['P'], assumed: { P: '' } }

for (const [title, visibility, sections, expected] of [
  ['nothing open', '1', 'Parameters: { P: { AllowedValues: [a] } }', [only]],
  ['allowed values', '!Ref P', 'Parameters: { P: { AllowedValues: [a, 2] } }', [allowed('a'), allowed('2')]],
  ['allowed values, and a default', '!Ref P', 'Parameters: { P: { AllowedValues: [a, 2], Default: a } }', [only]],
  [
    'a stored default',
    '!Ref P',
    'Parameters: { P: { Type: AWS::SSM::Parameter::Value<String>, AllowedValues: [a], Default: b } }',
    [allowed('a')],
  ],
  ['no allowed values', '!Ref P', 'Parameters: { P: { Type: Number } }', [only]],
  ['allowed values that are not a list', '!Ref P', 'Parameters: { P: { AllowedValues: a } }', [only]],
  ['a parameter that is not declared', '!Ref P', '', [only]],
  ['a comparison', BRANCH, 'Parameters: { P: {} }\nConditions: { C: !Equals [!Ref P, a] }', [compared('a'), OTHER]],
  [
    'a comparison in the other order',
    BRANCH,
    'Parameters: { P: {} }\nConditions: { C: !Equals [a, !Ref P] }',
    [compared('a'), OTHER],
  ],
  [
    'a comparison inside another condition',
    BRANCH,
    'Parameters: { P: {} }\nConditions: { C: !Not [!Condition D], D: !Or [!Equals [!Ref P, a], !Equals [!Ref P, b], !Equals [!Ref P, a]] }',
    [compared('a'), compared('b'), OTHER],
  ],
  ['a comparison that is not valid', BRANCH, 'Parameters: { P: {} }\nConditions: { C: !Equals P }', [only]],
  [
    'a comparison of constants',
    BRANCH,
    'Parameters: { P: {} }\nConditions: { C: !Or [!Equals [a, b], !Equals [!Ref P, c]] }',
    [compared('c'), OTHER],
  ],
  [
    'a comparison of a pseudo parameter',
    BRANCH,
    'Conditions: { C: !Equals [!Ref AWS::Region, a] }',
    [
      { ...only, label: 'with AWS::Region=a', given: { 'AWS::Region': 'a' }, assumed: { 'AWS::Region': 'a' } },
      { ...only, label: 'with another value of AWS::Region', other: ['AWS::Region'], assumed: { 'AWS::Region': '' } },
    ],
  ],
  ['an unused condition', '1', 'Parameters: { P: {} }\nConditions: { C: !Equals [!Ref P, a] }', [only]],
  [
    'Globals that are read',
    '1',
    'Globals: { Function: { Timeout: !Ref P } }\nParameters: { P: { AllowedValues: [a] } }',
    [allowed('a')],
  ],
  [
    'Globals that are not read',
    '1',
    'Globals: { Function: { Layers: !Ref P } }\nParameters: { P: { AllowedValues: [a] } }',
    [only],
  ],
  [
    'two parameters',
    '!Sub "${P}${Q}"',
    'Parameters: { P: { AllowedValues: [a] }, Q: { AllowedValues: [1, 2] } }',
    [
      { ...only, label: 'with P=a and Q=1', given: { P: 'a', Q: '1' } },
      { ...only, label: 'with P=a and Q=2', given: { P: 'a', Q: '2' } },
    ],
  ],
  [
    'an open comparison',
    BRANCH,
    'Conditions: { C: !Equals [!Ref AWS::Region, !Ref AWS::StackName] }',
    [
      { ...only, label: 'if C is true', verdicts: [true], assumed: { 'condition C': 'true' } },
      { ...only, label: 'if C is false', verdicts: [false], assumed: { 'condition C': 'false' } },
    ],
  ],
  [
    'a comparison of a resource',
    BRANCH,
    'Conditions: { C: !Equals [!Ref Queue, a] }',
    [
      { ...only, label: 'if C is true', verdicts: [true], assumed: { 'condition C': 'true' } },
      { ...only, label: 'if C is false', verdicts: [false], assumed: { 'condition C': 'false' } },
    ],
  ],
  [
    'an open comparison, and a parameter',
    '!If [C, !Ref P, 2]',
    'Parameters: { P: { AllowedValues: [a] } }\nConditions: { C: !Equals [!Ref AWS::Region, !Ref AWS::StackName] }',
    [
      { ...allowed('a'), label: 'with P=a, if C is true', verdicts: [true], assumed: { 'condition C': 'true' } },
      { ...allowed('a'), label: 'with P=a, if C is false', verdicts: [false], assumed: { 'condition C': 'false' } },
    ],
  ],
] as const) {
  test(`the cases of a template: ${title}`, async (t) => {
    t.strictSame(casesIn(visibility, sections), expected)
  })
}

test('a given value, or one of the stack around a nested stack, is not varied', async (t) => {
  const sections = 'Parameters: { P: { AllowedValues: [a, b] } }'
  t.strictSame(casesIn('!Ref P', sections, { P: 'c' }), [{ ...only, given: { P: 'c' } }])
  const node = { kind: 'scalar', value: 'c', position: { line: 1, column: 1 } } as const
  const links = { exports: new Map(), outputs: new Map(), nested: new Set<string>() }
  t.strictSame(casesIn('!Ref P', sections, {}, { ...links, parameters: new Map([['P', node]]) }), [only])
  t.equal(casesIn('!Ref P', sections, {}, { ...links, parameters: new Map() }).length, 2)
})

/** A parameter for each count, with so many allowed values. */
function parameters(...counts: number[]) {
  const declared = counts.map(
    (count, index) => `P${index}: { AllowedValues: [${Array.from({ length: count }, (_, n) => n)}] }`,
  )
  const text = counts.map((_, index) => `\${P${index}}`).join('')
  return [`!Sub "${text}"`, `Parameters: { ${declared.join(', ')} }`] as const
}

test('more than 64 combinations are not combined', async (t) => {
  t.equal(casesIn(...parameters(8, 8)).length, 64)
  t.strictSame(
    casesIn(...parameters(13, 5))
      .map(({ label }) => label)
      .filter((_, n) => n % 6 === 0),
    ['with P0=0', 'with P0=6', 'with P0=12'],
  )
  t.equal(casesIn(...parameters(13, 5)).length, 18)
})

/** Open comparisons, each with a condition, and a parameter with so many allowed values. */
function comparisons(count: number, values: number) {
  const names = Array.from({ length: count }, (_, n) => `C${n}`)
  const conditions = names.map((name) => `${name}: !Equals [!Ref AWS::Region, !Sub "${name}\${AWS::StackName}"]`)
  const [visibility, sections] = parameters(values)
  return [
    names.reduce((inner, name) => `!If [${name}, ${inner}, 1]`, visibility),
    `${sections}\nConditions: { ${conditions.join(', ')} }`,
  ] as const
}

test('comparisons are split as long as there are at most 64 cases', async (t) => {
  t.equal(casesIn(...comparisons(5, 2)).length, 64)
  t.equal(casesIn(...comparisons(6, 1)).length, 64)
  t.equal(casesIn(...comparisons(6, 2)).length, 2)
  t.strictSame(casesIn(...comparisons(7, 1)), [{ ...only, label: 'with P0=0', given: { P0: '0' } }])
  t.equal(casesIn(...comparisons(40, 1)).length, 1)
})
