// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { readable } from '../../src/model/partial-text.ts'
import { absent } from '../../src/model/setting.ts'
import { at, textIn } from '../../src/model/tree.ts'
import { readAssembly, stackKey } from '../../src/template/assembly.ts'
import { evaluate } from '../../src/template/evaluate.ts'
import { inventoryOf } from '../../src/template/read-template.ts'
import { scopeOf } from '../../src/template/scope.ts'
import { filesIn } from '../support/files.ts'
import { linkedQueue } from '../support/linked.ts'

const stack = (templateFile: string) => ({ type: 'aws:cloudformation:stack', properties: { templateFile } })
const stage = (directoryName: string) => ({ type: 'cdk:cloud-assembly', properties: { directoryName } })
const manifest = (...artifacts: object[]) =>
  JSON.stringify({ artifacts: Object.fromEntries(Object.entries(artifacts)) })

/** The files and the errors of an app. */
function filesOf(t: Test, files: Record<string, string>) {
  const root = filesIn(t, files)
  return readAssembly(root)?.map(({ file, error }) => {
    const name = file.slice(root.length + 1)
    return error === undefined ? name : `${name}: ${(error as Error).message.slice(root.length + 1)}`
  })
}

const EMPTY = 'Resources: {}'

test('the stacks of an app, of its stages, and those that cannot be read', async (t) => {
  const other = { templateFile: 'gone', directoryName: 'gone', file: 'gone' }
  const files = filesOf(t, {
    'manifest.json': manifest(
      stack('Shop.template.json'),
      stack('Broken.template.json'),
      stack('Shop.template.json'),
      stage('prod'),
      stage('empty'),
      { type: 'other', properties: other },
      ...['aws:cloudformation:stack', 'cdk:asset-manifest', 'cdk:cloud-assembly'].map((type) => ({ type })),
    ),
    'Shop.template.json': EMPTY,
    'Broken.template.json': 'Resources: [',
    'prod/manifest.json': manifest(stack('Prod.template.json')),
    'prod/Prod.template.json': 'Outputs: {}',
    'empty/manifest.json': '{}',
  })
  t.strictSame(files?.slice(0, 2), ['Shop.template.json', 'prod/Prod.template.json'])
  t.match(files?.[2], /^Broken\.template\.json: Broken\.template\.json:1:13: not valid YAML/)
  t.equal(files?.length, 3)
})

test('a folder with another manifest is not the output of the CDK', async (t) => {
  for (const text of ['{}', '[]', 'text', '{"artifacts":[]}']) t.equal(filesOf(t, { 'manifest.json': text }), undefined)
})

test('the template of a nested stack is at the path of its asset, and is not listed as separate', async (t) => {
  const files = {
    'manifest.json': manifest(stack('Shop.template.json')),
    'Path.nested.template.json': EMPTY,
    'Shop.template.json': `
Resources:
  A: { Type: AWS::CloudFormation::Stack, Metadata: { aws:asset:path: Path.nested.template.json } }
  E: { Type: AWS::CloudFormation::Stack }
  F: { Type: AWS::S3::Bucket, Metadata: { aws:asset:path: gone } }
`,
  }
  t.strictSame(filesOf(t, files), ['Shop.template.json', 'Path.nested.template.json'])
  const { document = absent, links } = readAssembly(filesIn(t, files))?.[0]?.template ?? {}
  for (const [known, expected] of [
    [links, ['E']],
    [undefined, ['A', 'E']],
  ] as const) {
    const { unreadResources } = inventoryOf(scopeOf(document, new Map(), { links: known }), 'Shop.template.json')
    t.strictSame(
      unreadResources.map(({ id, unreadReason }) => [id, unreadReason]),
      expected.map((id) => [id, 'its resources are in a separate template']),
    )
  }
})

/** Each stack of an app with the stacks that are linked with it. */
function linkedIn(t: Test, names: readonly string[], texts: Record<string, string>) {
  const files = Object.entries(texts).map(([name, text]) => [`${name}.template.json`, text])
  const root = filesIn(t, {
    ...Object.fromEntries(files),
    'manifest.json': manifest(...names.map((name) => stack(`${name}.template.json`))),
  })
  const stacks = (readAssembly(root) ?? []).map(({ file, template }) => {
    if (!template?.links || template.syntax !== 'json') throw new Error(`${file} was not read`)
    const scope = scopeOf(template.document, new Map([['Stage', 'a']]), { links: template.links })
    const resources = [...scope.resources.keys()]
    const value = (id: string, name: string) => {
      const value = at(evaluate(scope, scope.resources.get(id) ?? absent), name)
      return textIn(value) === '' ? value : readable(textIn(value))
    }
    return [stackKey(file), { scope, value, resources, template }] as const
  })
  return { root, stacks: Object.fromEntries(stacks) }
}

test('a stack is linked with the stack whose exports it imports, and with others that import them', async (t) => {
  const { root, stacks } = linkedIn(t, ['Orders', 'Queues', 'Rival', 'Alone'], {
    Orders: 'Resources: { Map: { A: !ImportValue arn, B: !ImportValue gone } }',
    Queues: `
Parameters: { Stage: { Type: String } }
Mappings: { Times: { Stage: { Prod: 7 } } }
Conditions: { Prod: !Equals [!Ref Stage, a] }
Resources:
  Queue:
    Condition: Prod
    DependsOn: Topic
    A: !Ref Stage
    B: !GetAtt [Topic, Stage]
    C: !If [Prod, !Ref Stage, Prod]
    D: !FindInMap [Times, Stage, Prod]
    E: !Sub 'x-\${Stage}-\${ Topic.Arn }-\${!Stage}-\${AWS::Region}'
    F: !Sub ['\${Stage}-\${V}', { V: !Ref Topic }]
    G: !Ref AWS::Region
  Topic: {}
Outputs:
  A: { Value: !GetAtt Queue.Arn, Export: { Name: arn } }
  B: { Value: no name }
  C: { Export: { Name: no value } }
`,
    Rival: 'Resources: { Own: { A: !ImportValue arn } }\nOutputs: { A: { Value: 1 } }',
    Alone: 'Resources: { Own: {} }\nOutputs: { A: { Value: 1, Export: { Name: alone } } }',
  })
  const { Orders, Alone } = stacks
  t.strictSame(Orders?.resources, ['Map', 'Queues/Queue', 'Queues/Topic', 'Rival/Own'])
  t.equal(Orders?.value('Map', 'A'), '${Queues/Queue.Arn}')
  t.match(Orders?.value('Map', 'B'), { state: 'unknown', reason: 'Fn::ImportValue gone comes from another stack' })
  t.equal(Orders?.value('Rival/Own', 'A'), '${Queues/Queue.Arn}')
  const expected = {
    A: 'a',
    B: '${Queues/Topic.Stage}',
    C: 'a',
    D: '7',
    E: 'x-a-${Queues/Topic.Arn}-${Stage}-${AWS::Region}',
    F: 'a-${Queues/Topic}',
    G: '${AWS::Region}',
  }
  for (const [name, value] of Object.entries(expected)) t.equal(Orders?.value('Queues/Queue', name), value, name)
  const { scope } = Orders ?? {}
  const queue = scope && inventoryOf(scope, 'x').declarations.find(({ id }) => id === 'Queues/Queue')
  t.match(queue?.condition, { name: 'Queues/Prod', holds: true })
  t.strictSame(Orders?.template.links?.exports.get('arn')?.value.position, {
    line: 18,
    column: 8,
    file: join(root, 'Queues.template.json'),
  })
  t.strictSame(Alone?.resources, ['Own'])
})

test('a dead-letter queue of another stack: of a queue there, and of a queue of a third stack', async (t) => {
  const { stacks } = linkedIn(t, ['App', 'Dead', 'Orders'], {
    App: `Resources:
  Map: { A: !ImportValue own, B: !ImportValue third, C: !ImportValue none }
`,
    Dead: `
Resources:
  Own: { Type: AWS::SQS::Queue }
  Third: { Type: AWS::SQS::Queue }
  None: { Type: AWS::SQS::Queue }
  Queue: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Own.Arn } } }
Outputs:
  A: { Value: !GetAtt Own.Arn, Export: { Name: own } }
  B: { Value: !GetAtt Third.Arn, Export: { Name: third } }
  C: { Value: !GetAtt None.Arn, Export: { Name: none } }
`,
    Orders: `Resources:
  None: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !ImportValue third } } }
  Queue: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt None.Arn } } }
`,
  })
  const { scope } = stacks.App as NonNullable<typeof stacks.App>
  const isDeadLetterQueue = (name: string) =>
    linkedQueue(inventoryOf(scope, 'x'), at(evaluate(scope, scope.resources.get('Map') ?? absent), name))
      ?.isDeadLetterQueue
  t.strictSame(['A', 'B', 'C'].map(isDeadLetterQueue), [true, true, false])
})

for (const [file, key] of [
  ['Shop.template.json', 'Shop'],
  ['cdk.out/prod/Shop.template.json', 'Shop'],
  ['cdk.out\\Shop.nested.template.json', 'Shop'],
  ['Shop.template.json.md', 'Shop.template.json.md'],
] as const) {
  test(`the name of a stack: ${file}`, async (t) => {
    t.equal(stackKey(file), key)
  })
}
