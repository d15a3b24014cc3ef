// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import type { LambdaFunction } from '../../src/model/model.ts'
import { mapAt, parseDocument } from '../../src/template/document.ts'
import { evaluate } from '../../src/template/evaluate.ts'
import { inventoryOf } from '../../src/template/read-template.ts'
import { scopeOf } from '../../src/template/scope.ts'
import { linkedFunction, reference } from '../support/linked.ts'
import { short } from '../support/templates.ts'

function functionsIn(text: string, given: Record<string, string> = {}) {
  return scopeOf(parseDocument('template.yaml', text), new Map(Object.entries(given)), { folder: '/app' })
}
function functionIn(text: string): LambdaFunction {
  return linkedFunction(inventoryOf(functionsIn(text), 'template.yaml'), reference('Handler'))
}

const byDefault = (value: unknown, name: string) => ({ state: 'known', value, isDefault: true, id: `Handler ${name}` })

test('a function without properties has the defaults of AWS', async (t) => {
  const { timeout, memory } = functionIn('Resources: { Handler: { Type: AWS::Serverless::Function } }')
  t.strictSame([timeout, memory], [byDefault(3, 'timeout'), byDefault(128, 'memory')])
})

test('the variables of Globals are merged, and a variable of the function replaces one of them', async (t) => {
  const { environment } = functionIn(`
Parameters: { Stage: { Type: String, Default: test } }
Globals: { Function: { Environment: { Variables: { A: global, B: global, C: !ImportValue x, D: !ImportValue x } } } }
Resources:
  Handler:
    Type: AWS::Serverless::Function
    Properties: { Environment: { Variables: { B: !Sub 'orders-\${Stage}', C: 1 } } }
`)
  t.strictSame(environment, {
    variables: { A: 'global', B: 'orders-test', C: '1' },
    unknown: [{ name: 'D', reason: 'Fn::ImportValue x comes from another stack' }],
  })
})

for (const [type, ignored, variables] of [
  ['AWS::Lambda::Function', '[]', {}],
  ['AWS::Serverless::Function', "'*'", {}],
  ['AWS::Serverless::Function', '[Timeout, Environment]', {}],
  ['AWS::Serverless::Function', '[Timeout]', { A: 'global' }],
] as const) {
  test(`the variables of Globals: a ${type} with IgnoreGlobals ${ignored}`, async (t) => {
    const { environment } = functionIn(`
Globals: { Function: { Environment: { Variables: { A: global } } } }
Resources: { Handler: { Type: ${type}, IgnoreGlobals: ${ignored}, Properties: {} } }
`)
    t.strictSame(environment, { variables, unknown: [] })
  })
}

test('variables that a macro adds have no names', async (t) => {
  const { environment } = functionIn(`
Resources:
  Handler:
    Type: AWS::Lambda::Function
    Properties: { Environment: { Variables: { Fn::Transform: { Name: Variables } } } }
`)
  t.strictSame(environment, {
    variables: {},
    unknown: [{ reason: 'Fn::Transform is not evaluated' }],
  })
})

for (const [title, properties, globals, expected] of [
  ['a setting of Globals', '{}', '{ Timeout: 20 }', [20, 'Globals']],
  ['a setting of the function', '{ Timeout: 10 }', '{ Timeout: 20 }', [10, undefined]],
  ['AWS::NoValue in the function', '{ Timeout: !Ref AWS::NoValue }', '{ Timeout: 20 }', [3, undefined]],
  ['AWS::NoValue in Globals', '{}', '{ Timeout: !Ref AWS::NoValue }', [3, undefined]],
  ['no properties', '~', '{ Timeout: 20 }', [20, 'Globals']],
  ['no Globals', '{}', '{}', [3, undefined]],
  ['a macro in Globals', '{}', '{ MemorySize: 128, Fn::Transform: {} }', ['Fn::Transform may add it', undefined]],
  ['a macro that makes Globals', '{}', '!Transform { Name: X }', ['Fn::Transform is not evaluated', undefined]],
  [
    'a macro that makes the properties',
    '!Transform { Name: X }',
    '{ Timeout: 20 }',
    ['Fn::Transform is not evaluated', undefined],
  ],
  [
    'a macro that may set it',
    '{ MemorySize: 128, Fn::Transform: {} }',
    '{ Timeout: 20 }',
    ['Fn::Transform may add it', undefined],
  ],
] as const) {
  test(`the timeout of a function of SAM: ${title}`, async (t) => {
    const { timeout } = functionIn(`
Globals: { Function: ${globals} }
Resources: { Handler: { Type: AWS::Serverless::Function, Properties: ${properties} } }
`)
    t.strictSame([short(timeout), timeout.section], expected)
  })
}

for (const [title, properties, expected] of [
  ['not set', '{}', 'ALL'],
  ['another key of the map', '{ TenancyConfig: { Other: JSON } }', 'ALL'],
  ['the key of the map', '{ TenancyConfig: { TenantIsolationMode: WARN } }', 'WARN'],
  ['AWS::NoValue as the key', '{ TenancyConfig: { TenantIsolationMode: !Ref AWS::NoValue } }', 'absent'],
  ['AWS::NoValue as the map', '{ TenancyConfig: !Ref AWS::NoValue }', 'absent'],
  ['text as the map', '{ TenancyConfig: JSON }', 'the value around it is a single value, but must be a map'],
] as const) {
  test(`SAM merges a map of Globals key by key: ${title}`, async (t) => {
    const { tenantIsolation } = functionIn(`
Globals: { Function: { TenancyConfig: { TenantIsolationMode: ALL } } }
Resources: { Handler: { Type: AWS::Serverless::Function, Properties: ${properties} } }
`)
    t.equal(short(tenantIsolation), expected)
  })
}

test('IgnoreGlobals, and a function that is not of SAM', async (t) => {
  const timeout = (declaration: string) =>
    short(functionIn(`Globals: { Function: { Timeout: 20 } }\nResources: { Handler: ${declaration} }`).timeout)
  t.equal(timeout('{ Type: AWS::Serverless::Function }'), 20)
  t.equal(timeout('{ Type: AWS::Serverless::Function, IgnoreGlobals: [Timeout] }'), 3)
  t.equal(timeout('{ Type: AWS::Serverless::Function, IgnoreGlobals: [MemorySize] }'), 20)
  t.equal(timeout('{ Type: AWS::Lambda::Function }'), 3)
})

test('a macro beside Globals does not make the settings unknown', async (t) => {
  const { timeout } = functionIn(`
Fn::Transform: { Name: Macro }
Resources: { Handler: { Type: AWS::Serverless::Function } }
`)
  t.equal(short(timeout), 3)
})

test('Managed Instances allow a longer timeout', async (t) => {
  const timeout = (config: string) =>
    short(
      functionIn(`
Resources:
  Provider: { Type: AWS::Lambda::CapacityProvider }
  Handler: { Type: AWS::Lambda::Function, Properties: { Timeout: 5400, ${config} } }
`).timeout,
    )
  t.equal(timeout('CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: {} }'), 5400)
  t.equal(timeout('CapacityProviderConfig: !Ref Provider'), 5400)
  t.equal(timeout(''), '5400 is outside of the range that AWS accepts (1 to 900)')
})

const RESOURCES = `
Value: VALUE
Resources:
  Queue: { Type: AWS::SQS::Queue }
  Handler: { Type: AWS::Lambda::Function, Properties: { FunctionName: handler } }
  Same: { Type: AWS::Lambda::Function, Properties: { FunctionName: same } }
  Twin: { Type: AWS::Lambda::Function, Properties: { FunctionName: same } }
  Worker: { Type: AWS::Serverless::Function, Properties: { AutoPublishAlias: live } }
  Version: { Type: AWS::Lambda::Version, Properties: { FunctionName: !Ref Handler } }
  Loop: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref Loop } }
  Ping: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref Pong } }
  Pong: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref Ping } }
  Lost: { Type: AWS::Lambda::Alias, Properties: { FunctionName: lost, FunctionVersion: 3 } }
  Live: { Type: AWS::Lambda::Alias, Properties: { Name: live, FunctionName: !Ref Handler } }
  Latest: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, FunctionVersion: $LATEST } }
  Current: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, FunctionVersion: !GetAtt Version.Version } }
  Sams: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref Worker, FunctionVersion: !Ref Worker.Version } }
  Foreign: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, FunctionVersion: !Ref Queue } }
  Third: { Type: AWS::Lambda::Alias, Properties: { Name: third, FunctionName: handler, FunctionVersion: 3 } }
  Import: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, FunctionVersion: !ImportValue x } }
  Even: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, RoutingConfig: { AdditionalVersionWeights: [] } } }
  Weighted: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, RoutingConfig: { AdditionalVersionWeights: [1] } } }
  Odd: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, RoutingConfig: { AdditionalVersionWeights: {} } } }
  Open: { Type: AWS::Lambda::Alias, Properties: { FunctionName: handler, RoutingConfig: !ImportValue x } }
`

/** The function that a value of FunctionName refers to: its id, why it was not read, its position, and its function. */
function found(value: string) {
  const scope = functionsIn(RESOURCES.replace('VALUE', value))
  const tree = evaluate(scope, mapAt(scope.document, 'Value'))
  const { id, unreadReason, position, aliasOf } = linkedFunction(inventoryOf(scope, 'template.yaml'), tree)
  return [id, unreadReason, position?.line, aliasOf?.id]
}

const HANDLER = ['Handler', undefined, 5, undefined]
const WORKER = ['Worker', undefined, 8, undefined]
const OTHER = 'its versions may have other settings than Handler'
const ELSEWHERE = 'it is not in this template'
const IMPORT = 'Fn::ImportValue x comes from another stack'
for (const [value, expected] of [
  ['!Ref Handler', HANDLER],
  ['!GetAtt Handler.Arn', HANDLER],
  ['handler', HANDLER],
  ['arn:aws:lambda:eu-west-1:123456789012:function:handler', HANDLER],
  ['123456789012:function:handler', HANDLER],
  [
    'arn:aws:lambda:eu-west-1:123456789012:function',
    ['arn:aws:lambda:eu-west-1:123456789012:function', ELSEWHERE, 2, undefined],
  ],
  ["''", ['its function', 'it is empty', 2, undefined]],
  ['~', ['its function', 'it is not set', 2, undefined]],
  ['[handler]', ['its function', 'it is a list', 2, undefined]],
  ['!ImportValue x', ['its function', IMPORT, 2, undefined]],
  ['other', ['other', ELSEWHERE, 2, undefined]],
  ["!Sub '${AWS::StackName}-x:1'", ['${AWS::StackName}-x:1', whyStackName(), 2, undefined]],
  ['same', ['same', 'Same and Twin have the same name', 2, undefined]],
  ['!Ref Worker', WORKER],
  ['!Ref Queue', ['Queue', 'it comes from Queue, of type AWS::SQS::Queue', 2, undefined]],

  // Aliases and versions
  ['!Ref Version', HANDLER],
  ['!Ref Live', HANDLER],
  ['!Ref Loop', ['Loop', 'its function: it comes from Loop, of type AWS::Lambda::Alias', 10, undefined]],
  ['!Ref Ping', ['Ping', 'its function: it comes from Pong, of type AWS::Lambda::Alias', 11, undefined]],
  ['!Ref Lost', ['Lost', `its function: ${ELSEWHERE}`, 13, undefined]],
  ['!Ref Latest', HANDLER],
  ['!Ref Current', HANDLER],
  ['!Ref Sams', WORKER],
  ['!Ref Foreign', ['Foreign', OTHER, 18, 'Handler']],
  ['!Ref Third', ['Third', OTHER, 19, 'Handler']],
  ['!Ref Import', ['Import', OTHER, 20, 'Handler']],
  ['!Ref Even', HANDLER],
  ['!Ref Weighted', ['Weighted', OTHER, 22, 'Handler']],
  ['!Ref Odd', HANDLER],
  ['!Ref Open', ['Open', OTHER, 24, 'Handler']],

  // Qualifiers
  ['handler:live', HANDLER],
  ['handler:third', ['Third', OTHER, 19, 'Handler']],
  ['handler:3', ['Handler:3', OTHER, 2, 'Handler']],
  ['handler:$LATEST', HANDLER],
  ['handler:x$LATEST', ['Handler:x$LATEST', OTHER, 2, 'Handler']],
  ['handler:$LATESTx', ['Handler:$LATESTx', OTHER, 2, 'Handler']],
  ['handler:v3', ['Handler:v3', OTHER, 2, 'Handler']],
  ['handler:12', ['Handler:12', OTHER, 2, 'Handler']],
  ['lost:3', ['lost:3', ELSEWHERE, 2, undefined]],
  ['lost:live', ['lost:live', ELSEWHERE, 2, undefined]],
  ["!Sub '${Handler}:${Version.Version}'", HANDLER],
  ["!Sub '${Handler}:${Third}'", ['Third', OTHER, 19, 'Handler']],
  ["!Sub '${Handler}:${Queue}'", ['Handler:${Queue}', OTHER, 2, 'Handler']],
  ["!Sub '${Worker}:live'", WORKER],
  ["!Sub '${Worker}:third'", ['Worker:third', OTHER.replace('Handler', 'Worker'), 2, 'Worker']],
  ["!Sub '${Handler}:${AWS::StackName}'", ['Handler:${AWS::StackName}', OTHER, 2, 'Handler']],
  ['arn:aws:lambda:eu-west-1:123456789012:function:handler:3', ['Handler:3', OTHER, 2, 'Handler']],
] as const) {
  test(`the function of FunctionName: ${value}`, async (t) => {
    t.strictSame(found(value), expected)
  })
}

function whyStackName() {
  return 'AWS::StackName is known only after deployment (set it with --parameter AWS::StackName=…)'
}

test('an alias that was not read shares the reserved concurrency of its function', async (t) => {
  const scope = functionsIn(RESOURCES.replace('VALUE', '!Ref Third'))
  const { reservedConcurrency, timeout } = linkedFunction(inventoryOf(scope, 'template.yaml'), reference('Third'))
  t.strictSame([short(reservedConcurrency), short(timeout)], ['absent', OTHER])
  t.equal(scope.folder, '/app')
})
