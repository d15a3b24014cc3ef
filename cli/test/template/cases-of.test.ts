import { test } from 'tap'
import { UsageError } from '../../src/shared/errors.ts'
import { casesOf, checkAllowed, chosenValues } from '../../src/template/cases.ts'
import { parseDocument } from '../../src/template/document.ts'
import type { Links } from '../../src/template/resolve.ts'

function casesIn(parameters: string, given: Record<string, string> = {}, links?: Links) {
  const document = parseDocument('template.yaml', `Parameters: ${parameters}\nResources: {}\n`)
  const all = casesOf(document, new Map(Object.entries(given)), links)
  return all.map(({ label, parameter, given }) => [label, parameter, Object.fromEntries(given)])
}

const NONE = ['', undefined, {}]
const ALLOWED = ['a', '2'].map((value) => [`with P=${value}`, 'P', { P: value }])
for (const [title, parameters, expected] of [
  ['no parameters', '{}', [NONE]],
  ['allowed values', '{ P: { AllowedValues: [a, 2] } }', ALLOWED],
  ['allowed values, and a default', '{ P: { AllowedValues: [a, 2], Default: a } }', [NONE]],
  ['no allowed values', '{ P: { Type: Number } }', [NONE]],
  ['allowed values that are not a list', '{ P: { AllowedValues: a } }', [NONE]],
  [
    'two parameters, of which one varies at a time',
    '{ P: { AllowedValues: [a, 2] }, Q: { AllowedValues: [c] } }',
    [...ALLOWED, ['with Q=c', 'Q', { Q: 'c' }]],
  ],
] as const) {
  test(`the cases of a template with ${title}`, (t) => {
    t.strictSame(casesIn(parameters), expected)
    t.end()
  })
}

test('a parameter that is given, or set by the stack around it, does not vary', (t) => {
  const parameters = '{ P: { AllowedValues: [a, 2] }, Q: { AllowedValues: [c] } }'
  t.strictSame(casesIn(parameters, { P: 'b' }), [['with Q=c', 'Q', { P: 'b', Q: 'c' }]])
  const node = { kind: 'scalar', value: 'x', position: { line: 1, column: 1 } } as const
  const links = {
    stacks: [{ file: undefined, document: parseDocument('template.yaml', `Parameters: ${parameters}`), prefix: '' }],
    exports: new Map(),
    parameters: new Map([['P', node]]),
    outputs: new Map(),
    nested: new Set<string>(),
  }
  t.strictSame(casesIn(parameters, {}, links), [['with Q=c', 'Q', { Q: 'c' }]])
  const document = parseDocument(
    'template.yaml',
    'Parameters: { Q: { AllowedValues: [d] }, R: { AllowedValues: [e] } }',
  )
  const linked = { ...links, stacks: [...links.stacks, { file: 'b', document, prefix: 'B/' }] }
  t.strictSame(casesIn(parameters, {}, linked), [
    ['with Q=c', 'Q', { Q: 'c' }],
    ['with B/Q=d', 'B/Q', { 'B/Q': 'd' }],
    ['with B/R=e', 'B/R', { 'B/R': 'e' }],
  ])
  t.strictSame(casesIn(parameters, { Q: 'x' }, linked), [['with B/R=e', 'B/R', { Q: 'x', 'B/R': 'e' }]])
  t.end()
})

test('a value that is not allowed is refused', (t) => {
  const document = parseDocument('template.yaml', 'Parameters: { P: { AllowedValues: [a, 2] } }')
  for (const values of [[], [['P', '2']], [['Q', 'b']]] as [string, string][][]) checkAllowed(document, new Map(values))
  const error = new UsageError('--parameter P=b: the template allows a, 2')
  t.throws(() => checkAllowed(document, new Map([['P', 'b']])), error)
  t.end()
})

test('the value of a parameter with allowed values: the default, or the first one', (t) => {
  const parameters =
    '{ P: { AllowedValues: [a, 2], Default: 2 }, Q: { AllowedValues: [7, b] }, R: { AllowedValues: [] }, S: {} }'
  const chosen = chosenValues(parseDocument('template.yaml', `Parameters: ${parameters}\nResources: {}\n`))
  t.strictSame(
    [...chosen],
    [
      ['P', { name: 'P', value: '2', isDefault: true }],
      ['Q', { name: 'Q', value: '7', isDefault: false }],
    ],
  )
  t.end()
})
