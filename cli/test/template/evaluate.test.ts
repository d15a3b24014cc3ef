// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { textTree } from '../../src/model/partial-text.ts'
import { entriesOf, type Tree } from '../../src/model/tree.ts'
import { mapAt, parseDocument } from '../../src/template/document.ts'
import { conditionAt, evaluate } from '../../src/template/evaluate.ts'
import { type Scope, scopeOf } from '../../src/template/scope.ts'

const SECTIONS = `
Parameters:
  Stage: { Type: String, Default: dev }
  Seconds: { Type: Number, Default: 40 }
  Names: { Type: CommaDelimitedList, Default: 'a, b' }
  Ids: { Type: 'List<Number>' }
  Open: { Type: String }
  Untyped: {}
  Text: text
  Null: { Type: String, Default: ~ }
  Stored: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /seconds }
  StoredNames: { Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /names }
Mappings:
  Times: { dev: { visibility: 41 }, prod: { visibility: 900 } }
Resources:
  Queue: { Type: AWS::SQS::Queue }
  Handler: { Type: AWS::Serverless::Function }
  Live: { Type: AWS::SQS::Queue, Condition: Always }
  Off: { Type: AWS::SQS::Queue, Condition: Never }
  Maybe: { Type: AWS::SQS::Queue, Condition: Gone }
Conditions:
  Always: !Equals [a, a]
  Never: !Equals [a, b]
`

/** A template with this value. Its position is line 2, column 1. */
function resolverOf(expression: string, given: Record<string, string> = {}, exported?: Tree) {
  const document = parseDocument('template.yaml', `---\nValue: ${expression}${SECTIONS}`)
  const own = { file: undefined, document, prefix: '' }
  const all = exported && { stacks: [own], exports: new Map([['arn', { value: exported }]]) }
  const scope = scopeOf(document, new Map(Object.entries(given)), { links: all })
  const value = mapAt(document, 'Value')
  return { ...scope, scope, value, resolved: evaluate(scope, value) }
}

const position = { line: 2, column: 1 }
const scalar = (value: unknown) => {
  return typeof value === 'string' ? textTree(value, position) : { state: 'known', value, position }
}
const unknown = (reason: string) => ({ state: 'unknown', reason, position })
const absent = { state: 'absent', position }
const list = (...values: string[]) => ({
  state: 'list',
  items: values.map((value) => textTree(value)),
  position,
})
const NO_DEFAULT = (name: string) => unknown(`the parameter ${name} has no default (set it with --parameter ${name}=…)`)
const AFTER_DEPLOYMENT = 'AWS::Region is known only after deployment (set it with --parameter AWS::Region=…)'
const NO_TEXT = 'a text is needed, but there is none'

const VALUES: [expression: string, expected: object, given?: Record<string, string>][] = [
  ['42', scalar(42)],
  ["'42'", scalar('42')],
  ['true', scalar(true)],
  ['~', absent],
  ["'{{resolve:ssm:/seconds}}'", scalar('{{resolve:ssm:/seconds}}')],

  // Parameters
  ['!Ref Stage', scalar('dev')],
  ['!Ref Stage', scalar('prod'), { Stage: 'prod' }],
  ['!Ref Seconds', scalar('40')],
  ['!Ref Names', list('a', 'b')],
  ['!Ref Names', list('c', 'd e'), { Names: ' c ,d e' }],
  ['!Ref Ids', list('1', '2'), { Ids: '1,2' }],
  ['!Ref Ids', NO_DEFAULT('Ids')],
  ['!Ref Open', NO_DEFAULT('Open')],
  ['!Ref Open', scalar(''), { Open: '' }],
  ['!Ref Untyped', NO_DEFAULT('Untyped')],
  ['!Ref Untyped', scalar('x'), { Untyped: 'x' }],
  ['!Ref Text', NO_DEFAULT('Text')],
  ['!Ref Null', NO_DEFAULT('Null')],
  [
    '!Ref Stored',
    unknown('the parameter Stored comes from AWS::SSM::Parameter::Value<String> (set it with --parameter Stored=…)'),
  ],
  ['!Ref Stored', scalar('7'), { Stored: '7' }],
  ['!Ref StoredNames', list('x', 'y'), { StoredNames: 'x,y' }],

  // Ref and Fn::GetAtt
  ['!Ref AWS::NoValue', absent],
  ['!Ref AWS::Region', scalar('\0AWS::Region\0')],
  ['!Ref AWS::Region', scalar('eu-west-1'), { 'AWS::Region': 'eu-west-1' }],
  ['!Ref Queue', scalar('\0Queue\0')],
  ['!Ref Handler.Alias', scalar('\0Handler.Alias\0')],
  ['!Ref Gone', { ...unknown('Gone is not defined in this template'), missing: 'Gone' }],
  ['{ Ref: !Ref Stage }', { ...unknown('dev is not defined in this template'), missing: 'dev' }],
  ['{ Ref: !Ref Open }', NO_DEFAULT('Open')],
  ['{ Ref: !Sub "${AWS::Region}x" }', unknown('${AWS::Region}x is not defined in this template')],
  ['{ Ref: ~ }', unknown(NO_TEXT)],
  ['!GetAtt Queue.Arn', scalar('\0Queue.Arn\0')],
  ['!GetAtt [Queue, Arn]', scalar('\0Queue.Arn\0')],
  ['!GetAtt [Queue, !Ref Stage]', scalar('\0Queue.dev\0')],
  ['!GetAtt [Queue, !Ref Open]', NO_DEFAULT('Open')],
  ['!Ref Live', scalar('\0Live\0')],
  ['!Ref Maybe', scalar('\0Maybe\0')],
  ['!GetAtt Off.Arn', { ...unknown('the condition Never of Off is false with these parameters'), missing: 'Off' }],
  ['!GetAtt Gone.Arn', { ...unknown('Gone.Arn is not defined in this template'), missing: 'Gone' }],

  // Fn::Sub
  ['!Sub "a-${Stage}-${Seconds}"', scalar('a-dev-40')],
  ['!Sub "${ Stage }"', scalar('dev')],
  ['!Sub "${!Stage}-${Stage}!"', scalar('${Stage}-dev!')],
  ['!Sub ["${Stage}${ More }", { More: 0 }]', scalar('dev0')],
  ['!Sub ["${Stage}", { Stage: !Ref Seconds }]', scalar('40')],
  ['!Sub ["${Stage}"]', scalar('dev')],
  ['!Sub ["${Stage}", text]', scalar('dev')],
  ['!Sub "arn:${AWS::Region}:${Queue.QueueName}"', scalar('arn:\0AWS::Region\0:\0Queue.QueueName\0')],
  ['!Sub "${Open}"', NO_DEFAULT('Open')],
  ['!Sub "${Names}"', unknown('a text is needed, but there is a list')],
  ['!Sub ["${A}", { A: !Ref AWS::NoValue }]', unknown(NO_TEXT)],
  ['!Sub ["${A}", { A: { b: c, d: e } }]', unknown('a text is needed, but there is a map')],
  ['!Sub ""', scalar('')],
  ['!Sub 42', scalar('42')],
  ['{ Fn::Sub: !Ref Stage }', unknown('Fn::Sub has no text')],
  ['!Sub []', unknown('Fn::Sub has no text')],

  // Fn::Join
  ['!Join ["-", [a, !Ref Seconds, true]]', scalar('a-40-true')],
  ['!Join ["", !Ref Names]', scalar('ab')],
  ['!Join [!Ref Stage, [1, 2]]', scalar('1dev2')],
  ['!Join [!Ref Open, [1, 2]]', NO_DEFAULT('Open')],
  ['!Join ["", [!Ref Open]]', NO_DEFAULT('Open')],
  ['!Join ["", !Ref Ids]', NO_DEFAULT('Ids')],
  ['!Join text', unknown(NO_TEXT)],

  // Fn::FindInMap
  ['!FindInMap [Times, !Ref Stage, visibility]', scalar(41)],
  ['!FindInMap [Times, !Ref Stage, visibility]', scalar(900), { Stage: 'prod' }],
  ['!FindInMap [Times, test, visibility, { DefaultValue: !Ref Seconds }]', scalar('40')],
  ['!FindInMap [Times, dev, visibility, { DefaultValue: 43 }]', scalar(41)],
  ['!FindInMap [Times, dev, delay]', unknown('Mappings has no Times.dev.delay')],
  ['!FindInMap [Times, test, delay]', unknown('Mappings has no Times.test.delay')],
  ['!FindInMap [Gone, dev, delay, text]', unknown('Mappings has no Gone.dev.delay')],
  ['!FindInMap [Times, !Ref Open, visibility]', NO_DEFAULT('Open')],
  ['!FindInMap [Times, !Ref AWS::Region, visibility]', unknown(AFTER_DEPLOYMENT)],
  ['!FindInMap [Times, dev]', unknown(NO_TEXT)],

  // Fn::If
  ['!If [Always, 1, 2]', scalar(1)],
  ['!If [Never, 1, !Ref Stage]', scalar('dev')],
  ['!If [Always, 1]', scalar(1)],
  ['!If [Gone, 1, 2]', unknown('there is no condition Gone')],
  ['!If [[Always], 1, 2]', unknown('a text is needed, but there is a list')],
  ['!If text', unknown(NO_TEXT)],

  // Fn::ImportValue
  ['!ImportValue arn', unknown('Fn::ImportValue arn comes from another stack')],
  [
    '!ImportValue { Fn::Sub: "${AWS::Region}-arn" }',
    unknown('Fn::ImportValue ${AWS::Region}-arn comes from another stack'),
  ],
  ['!ImportValue [a]', unknown('Fn::ImportValue comes from another stack')],

  // Other functions and maps
  ['!Select [0, [a]]', unknown('Fn::Select is not evaluated')],
  ['!Custom x', unknown('Fn::Custom is not evaluated')],
  ['!Refs x', unknown('Fn::Refs is not evaluated')],
]
for (const [expression, expected, given] of VALUES) {
  test(`the value of ${expression}${given ? ` with ${JSON.stringify(given)}` : ''}`, async (t) => {
    t.strictSame(resolverOf(expression, given).resolved, expected)
  })
}

for (const expression of [
  '{}',
  '{ a: 1 }',
  '{ constructor: 1 }',
  '{ x!Ref: 1 }',
  '{ xFn::Sub: 1 }',
  '{ Ref: Stage, b: 2 }',
]) {
  test(`a map stays as it is: ${expression}`, async (t) => {
    const { resolved, value } = resolverOf(expression)
    t.equal(resolved.state, 'map')
    t.strictSame(
      entriesOf(resolved).map(([name]) => name),
      entriesOf(value).map(([name]) => name),
    )
  })
}

test('each node is resolved once', async (t) => {
  const { scope, value, resolved } = resolverOf('!Ref Stage')
  t.equal(evaluate(scope, value), resolved)
})

test('any number of values beside each other is resolved', async (t) => {
  const values = Array.from({ length: 600 }, (_, number) => `v${number}`)
  t.strictSame(resolverOf(`!Join [',', [${values}]]`).resolved, scalar(values.join(',')))
})

test('the value that another stack exports', async (t) => {
  const exported: Tree = { state: 'known', value: 'an export', position: { line: 9, column: 9 } }
  t.strictSame(resolverOf('!ImportValue arn', {}, exported).resolved, scalar('an export'))
  t.strictSame(
    resolverOf('!ImportValue url', {}, exported).resolved,
    unknown('Fn::ImportValue url comes from another stack'),
  )
})

const CIRCULAR = { reason: 'it refers to itself, or is nested too deeply' }
for (const [condition, expected] of [
  ['!Equals [a, a]', true],
  ['!Equals [a, b]', false],
  ['!Equals [1, "1"]', true],
  ['!Equals [!Ref Stage, dev]', true],
  ['!Equals [!Ref AWS::Region, !Ref AWS::Region]', true],
  ['!Equals [!Ref AWS::Region, a]', { reason: AFTER_DEPLOYMENT }],
  ['!Equals [a, !Ref AWS::Region]', { reason: AFTER_DEPLOYMENT }],
  ['!Equals [!Ref Open, a]', { reason: NO_DEFAULT('Open').reason }],
  ['!Equals [a, !Ref Open]', { reason: NO_DEFAULT('Open').reason }],
  ['!Equals [a]', { reason: 'a text is needed, but there is none' }],
  ['!Not [!Equals [a, b]]', true],
  ['!Not [!Condition Always]', false],
  ['!Not [!Condition Never]', true],
  ['!Not [!Condition Gone]', { reason: 'there is no condition Gone' }],
  ['!Not text', { reason: 'the condition is not valid' }],
  ['!Not [text]', { reason: 'the condition is not valid' }],
  ['!And [!Condition Always, !Condition Always]', true],
  ['!And [!Condition Always, !Condition Never]', false],
  ['!And [!Condition Gone, !Condition Never]', false],
  ['!And [!Condition Always, !Condition Gone]', { reason: 'there is no condition Gone' }],
  ['!Or [!Condition Never, !Condition Never]', false],
  ['!Or [!Condition Never, !Condition Always]', true],
  ['!Or [!Condition Gone, !Condition Always]', true],
  ['!Or [!Condition Never, !Condition Gone]', { reason: 'there is no condition Gone' }],
  ['!Condition Always', true],
  ['!Condition [a]', { reason: 'a text is needed, but there is a list' }],
  ['!Not [!Condition C]', CIRCULAR],
  ['!Sub a', { reason: 'the condition is not valid' }],
  ['!Cidr a', { reason: 'Fn::Cidr is not evaluated' }],
  ['text', { reason: 'the condition is not valid' }],
  ['{}', { reason: 'the condition is not valid' }],
  ['{ Fn::Equals: [a, a], Fn::Transform: b }', { reason: 'the condition is not valid' }],
] as const) {
  test(`the condition ${condition}`, async (t) => {
    t.strictSame(holds(withCondition(condition), 'C'), expected)
  })
}

/** Whether a condition holds, or the reason why this is not known. */
function holds(scope: Scope, name: string) {
  const tree = conditionAt(scope, name)
  return tree.state === 'known' && typeof tree.value === 'boolean'
    ? tree.value
    : { reason: tree.state === 'unknown' ? tree.reason : 'the condition is not valid' }
}

function withCondition(condition: string) {
  const document = parseDocument('template.yaml', `${SECTIONS}  C: ${condition}\n`)
  return scopeOf(document)
}

test('conditions are resolved up to 166 levels, because each has three nodes', async (t) => {
  function resolveFirst(levels: number) {
    const links = Array.from({ length: levels - 1 }, (_, number) => `  C${number}: !Not [!Condition C${number + 1}]\n`)
    const text = `Conditions:\n${links.join('')}  C${levels - 1}: !Equals [a, b]\n`
    return holds(scopeOf(parseDocument('template.yaml', text)), 'C0')
  }
  t.equal(resolveFirst(166), true)
  t.strictSame(resolveFirst(501), { reason: 'it refers to itself, or is nested too deeply' })
})

test('an error of this program is not a value that is not known', async (t) => {
  const resources = new Map<string, Tree>()
  resources.get = () => {
    throw new TypeError('wrong')
  }
  const scope = withCondition('!Not [!Equals [!Ref Queue, a]]')
  scope.resources = resources
  t.throws(() => holds(scope, 'C'), new TypeError('wrong'))
})

test('the parts of the template, and the account', async (t) => {
  const { document, resources, account } = resolverOf('x')
  t.strictSame([...resources.keys()], ['Queue', 'Handler', 'Live', 'Off', 'Maybe'])
  t.strictSame(
    entriesOf(document).map(([name]) => name),
    ['Value', 'Parameters', 'Mappings', 'Resources', 'Conditions'],
  )
  t.equal(account, '\0AWS::AccountId\0')
  t.equal(resolverOf('x', { 'AWS::AccountId': '123456789012' }).account, '123456789012')
})
