import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Test, test } from 'tap'
import type { Format } from '../../src/doctor/format.ts'
import { type Input, readInputs, readStacks } from '../../src/doctor/inputs.ts'
import { runDoctor } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { inProcess } from '../support/in-process.ts'
import { getAtt, sam } from '../support/templates.ts'
import { terraformState } from '../support/terraform.ts'

const RUNTIME = { Runtime: 'provided.al2023' }
const clean = JSON.stringify(sam({ function: RUNTIME }))
const reporting = { Runtime: 'nodejs24.x', InlineCode: 'batchItemFailures' }
const wrong = JSON.stringify(sam({ function: reporting, mapping: { FunctionResponseTypes: undefined } }))
const empty = JSON.stringify({ Resources: { Topic: { Type: 'AWS::SNS::Topic' } } })

async function run(t: Test, root: string, ...paths: string[]) {
  const files = paths.map((path) => join(root, path))
  const { code, stdout, stderr } = await runDoctor(t, files, { format: 'json' })
  const { findings, inputs } = JSON.parse(stdout)
  return {
    code,
    stderr: stderr.replaceAll(`${root}/`, ''),
    findings: findings.map(
      ({ rule, file }: { rule: string; file: string }) => `${rule} ${file.slice(root.length + 1)}`,
    ),
    inputs: inputs.map(({ name, mappings }: { name: string; mappings: number }) => [
      name.slice(root.length + 1),
      mappings,
    ]),
  }
}

const FILES = { 'a.json': clean, 'b.yaml': wrong, 'empty.json': empty, 'broken.yaml': 'Resources: [' }
for (const [title, paths, code, findings, stderr] of [
  ['files without an error', ['a.json', 'a.json'], 0, [], ''],
  ['a file with an error', ['a.json', 'b.yaml'], 1, ['report-batch-item-failures b.yaml'], ''],
  ['a file without a mapping, which is no error', ['a.json', 'empty.json'], 0, [], ''],
  ['only files without a mapping', ['empty.json', 'empty.json'], 2, [], /nothing was checked/],
  [
    'a file that cannot be read',
    ['a.json', 'broken.yaml'],
    2,
    [],
    /^bounded-sqs-batch: broken\.yaml:1:13: not valid YAML/,
  ],
  [
    'an error and a file that cannot be read',
    ['broken.yaml', 'b.yaml'],
    1,
    ['report-batch-item-failures b.yaml'],
    /^bounded-sqs-batch: broken\.yaml/,
  ],
] as const) {
  test(`several inputs: ${title}: exit code ${code}`, async (t) => {
    const result = await run(t, filesIn(t, FILES), ...paths)
    t.strictSame([result.code, result.findings], [code, findings])
    if (typeof stderr === 'string') t.equal(result.stderr, stderr)
    else t.match(result.stderr, stderr)
  })
}

test('an input without a mapping is named', async (t) => {
  const root = filesIn(t, FILES)
  const { stdout } = await runDoctor(t, [join(root, 'a.json'), join(root, 'empty.json')])
  t.match(stdout, /^There is no SQS event source mapping in \S+empty\.json\.$/m)
  const paths = ['a.json', 'empty.json', 'empty.json'].map((name) => join(root, name))
  const several = await runDoctor(t, paths, {})
  t.match(several.stdout, /^There is no SQS event source mapping in \S+empty\.json, \S+empty\.json\.$/m)
  t.notMatch(several.stdout, 'empty.json has no')
  t.strictSame((await run(t, root, 'a.json', 'empty.json')).inputs, [
    ['a.json', 1],
    ['empty.json', 0],
  ])
})

test('of several inputs without a mapping, those in which one may be have a line each, with the reason', async (t) => {
  const never =
    'Conditions: { Never: !Equals [a, b] }\nResources:\n  Map: { Type: AWS::Lambda::EventSourceMapping, Condition: Never }\n'
  const root = filesIn(t, { ...FILES, 'never.yaml': never })
  const paths = ['a.json', 'empty.json', 'empty.json', 'never.yaml', 'never.yaml'].map((name) => join(root, name))
  const { stdout } = await runDoctor(t, paths)
  const line =
    /never\.yaml has no SQS .+ Not read: Map \(line 3\): its condition Never is false with these parameters\./g
  t.equal(stdout.match(line)?.length, 2)
  t.match(stdout, /^There is no SQS event source mapping in \S+empty\.json, \S+empty\.json\.$/m)
  const one = await runDoctor(t, paths.slice(0, 4).toSpliced(1, 1))
  t.match(one.stdout, /^There is no SQS event source mapping in \S+empty\.json\.$/m)
})

test('a folder: its templates and those of its subfolders, without node_modules and other files', async (t) => {
  const root = filesIn(t, {
    'infra/a.json': clean,
    'infra/deep/b.yaml': wrong,
    'infra/node_modules/c.yaml': wrong,
    'infra/values.yaml': 'Resources: 5',
    'infra/chart.yaml': '{{ not yaml',
    'infra/package.json': '{}',
    'infra/broken.yaml': 'Resources:\n  A: { Type: AWS::SQS::Queue',
  })
  symlinkSync(join(root, 'gone.yaml'), join(root, 'infra/gone.yaml'))
  const { code, findings, inputs, stderr } = await run(t, root, 'infra')
  t.strictSame([code, findings], [1, ['report-batch-item-failures infra/deep/b.yaml']])
  t.strictSame(inputs, [
    ['infra/a.json', 1],
    ['infra/broken.yaml', 0],
    ['infra/deep/b.yaml', 1],
  ])
  t.match(stderr, /^bounded-sqs-batch: infra\/broken\.yaml:\d+:\d+: not valid YAML/)
})

test('errors of inputs are in every format', async (t) => {
  const root = filesIn(t, FILES)
  const paths = ['a.json', 'broken.yaml'].map((path) => join(root, path))
  const print = async (format: Format) => (await runDoctor(t, paths, { format })).stdout
  t.match(JSON.parse(await print('json')).inputs, [{ mappings: 1 }, { error: /not valid YAML/ }])
  t.match(await print('github'), /^::error file=.*broken\.yaml,title=not read::.*not valid YAML/m)
})

test('a parameter must be one of a template, and applies to the templates that have it', async (t) => {
  const Parameters = { Seconds: { Type: 'Number' } }
  const withParameter = { ...sam({ function: RUNTIME, queue: { VisibilityTimeout: { Ref: 'Seconds' } } }), Parameters }
  const root = filesIn(t, { 'a.json': clean, 'p.json': JSON.stringify(withParameter) })
  const paths = ['a.json', 'p.json'].map((path) => join(root, path))
  const low = await runDoctor(t, paths, { format: 'json', parameter: ['Seconds=29'] })
  t.match(JSON.parse(low.stdout).findings, [{ rule: 'visibility-below-timeout', file: paths[1] }])
  const wrong = await inProcess(['doctor', '--parameter', 'Second=29', ...paths])
  t.strictSame([wrong.code, wrong.stdout], [2, ''])
  t.match(
    wrong.stderr,
    /^bounded-sqs-batch: --parameter Second: no template has a parameter of this name\. The parameters are: Seconds$/m,
  )
})

/** What `cdk synth` writes: a stack that exports a queue, one that imports it, and a nested stack. */
function cdkOut(queue: object = {}) {
  const stack = (file: string) => ({ type: 'aws:cloudformation:stack', properties: { templateFile: file } })
  const { Resources } = sam()
  const mapping = (arn: unknown, id = 'Handler') => ({
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: { EventSourceArn: arn, FunctionName: { Ref: id }, FunctionResponseTypes: ['ReportBatchItemFailures'] },
  })
  const Handler = { Type: 'AWS::Lambda::Function', Properties: { ...RUNTIME, Timeout: 30 } }
  const NAME = 'Shop:ExportsOutputFnGetAttQueueArn1A2B'
  const shop = {
    Resources: {
      ...Resources,
      Handler: undefined,
      Queue: { ...Resources.Queue, Properties: { ...Resources.Queue.Properties, ...queue } },
      Nested: {
        Type: 'AWS::CloudFormation::Stack',
        Properties: { TemplateURL: 'x', Parameters: { referencetoShopQueueArn: getAtt('Queue') } },
        Metadata: { 'aws:asset:path': 'ShopNested.nested.template.json' },
      },
    },
    Outputs: { Export: { Value: getAtt('Queue'), Export: { Name: NAME } } },
  }
  const consumer = { Resources: { Handler, Orders: mapping({ 'Fn::ImportValue': NAME }) } }
  const nested = {
    Parameters: { referencetoShopQueueArn: { Type: 'String' } },
    Resources: { Handler, Inner: mapping({ Ref: 'referencetoShopQueueArn' }) },
  }
  return {
    'cdk.out/manifest.json': JSON.stringify({
      version: '44.0.0',
      artifacts: {
        Shop: stack('Shop.template.json'),
        Consumer: stack('Consumer.template.json'),
        Tree: { type: 'cdk:tree' },
      },
    }),
    'cdk.out/Shop.template.json': JSON.stringify(shop),
    'cdk.out/Consumer.template.json': JSON.stringify(consumer),
    'cdk.out/ShopNested.nested.template.json': JSON.stringify(nested),
    'cdk.out/asset.1/template.json': wrong,
  }
}

test('cdk.out: all stacks of the manifest, with imports from each other, and nested stacks without their parameters', async (t) => {
  const { code, findings, inputs } = await run(t, filesIn(t, cdkOut()), 'cdk.out')
  t.strictSame(inputs, [
    ['cdk.out/Shop.template.json', 0],
    ['cdk.out/Consumer.template.json', 1],
    ['cdk.out/ShopNested.nested.template.json', 1],
  ])
  t.strictSame([code, findings], [0, ['not-checked cdk.out/ShopNested.nested.template.json']])
})

test('cdk.out: a setting of a queue in another stack is one finding, in the file of that stack', async (t) => {
  const root = filesIn(t, cdkOut({ VisibilityTimeout: 20 }))
  const { code, findings } = await run(t, root, 'cdk.out')
  t.strictSame(
    [code, findings],
    [1, ['visibility-below-timeout cdk.out/Shop.template.json', 'not-checked cdk.out/ShopNested.nested.template.json']],
  )
})

const TEMPLATE = JSON.stringify(sam())
const PLAN = JSON.stringify(terraformState())

/** The names of inputs in a folder, with their errors, and the number of mappings. */
function shown(root: string, inputs: readonly Input[]) {
  const inRoot = (text: string) => text.replaceAll(`${root}/`, '').replaceAll(root, '.')
  return inputs.map(({ name, error, read }) => [
    inRoot(name),
    read ? read(new Map()).mappings.length : inRoot(String(error)),
  ])
}
async function read(t: Test, files: Readonly<Record<string, string>>, ...paths: string[]) {
  const root = filesIn(t, files)
  return shown(root, await readInputs(paths.map((path) => join(root, path))))
}

function withStandardInput(t: Test, stream: Readable) {
  const own = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor
  t.teardown(() => Object.defineProperty(process, 'stdin', own))
  Object.defineProperty(process, 'stdin', { value: stream, configurable: true })
}

test('a template, a state of Terraform, and files that cannot be read', async (t) => {
  const files = { 'a.json': TEMPLATE, 'state.json': PLAN, 'broken.yaml': 'Resources: [' }
  t.match(await read(t, files, 'a.json', 'state.json', 'broken.yaml', 'none.yaml', 'main.tf'), [
    ['a.json', 1],
    ['state.json', 1],
    ['broken.yaml', /^broken\.yaml:1:13: not valid YAML/],
    ['none.yaml', 'there is no file none.yaml'],
    ['main.tf', /^main\.tf is a configuration of Terraform\./],
  ])
})

test('standard input, also if there is a folder with the name -', async (t) => {
  const root = filesIn(t, { '-/a.json': 'x' })
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(root)
  withStandardInput(t, Readable.from([Buffer.from(TEMPLATE.slice(0, 9)), Buffer.from(TEMPLATE.slice(9))]))
  t.strictSame(shown(root, await readInputs(['-'])), [['standard input', 1]])
})

test('standard input that fails is an error of the input', async (t) => {
  withStandardInput(
    t,
    new Readable({
      read() {
        this.destroy(new Error('the pipe is broken'))
      },
    }),
  )
  t.strictSame(shown('/', await readInputs(['-'])), [
    ['standard input', 'standard input cannot be read (Error: the pipe is broken)'],
  ])
})

test('a folder: its files and those of its subfolders in order, without hidden ones and node_modules', async (t) => {
  const files = [
    ...['a.json', 'b.yaml', 'c.yml', 'd.template', 'deep/e.json', 'node_modules2/f.json', 'z.json'],
    ...['.hidden.json', '.aws-sam/g.json', 'node_modules/h.json', 'i.json.bak', 'jyaml', 'serverless-state.json'],
  ]
  const found = await read(t, Object.fromEntries(files.map((name) => [name, TEMPLATE])), '.')
  t.strictSame(
    found,
    files.slice(0, 7).map((name) => [name, 1]),
  )
})

for (const [text, isRead] of [
  ['Resources: [ AWS::SQS::Queue', true],
  ['Description: x\nResources: [ AWS::SQS::Queue', true],
  ['{"Resources": [ "AWS::SQS::Queue"', true],
  ['{Resources : [ AWS::SQS::Queue', true],
  ['{a: b,Resources: [ AWS::SQS::Queue', true],
  ['MyResources: [ AWS::SQS::Queue', false],
  ['Resources [ AWS::SQS::Queue', false],
  ['Resources: [ MyAWS::SQS::Queue', false],
  ['Resources: [ AWS::SQS', false],
  ['Resources: [ AWS::SQS::', false],
  ['Resources: [', false],
  ['{"format_version": [', true],
  ['\n {\n "format_version": [', true],
  ['[ {"format_version": [', false],
  ['{"version": [', false],
] as const) {
  test(`a file in a folder that cannot be parsed, with the text ${JSON.stringify(text)}: ${isRead ? 'an error' : 'it is skipped'}`, async (t) => {
    const found = await read(t, { 'a.json': TEMPLATE, 'b.yaml': text }, '.')
    t.strictSame(
      found.map(([name]) => name),
      isRead ? ['a.json', 'b.yaml'] : ['a.json'],
    )
  })
}

test('a folder with a state of Terraform', async (t) => {
  t.strictSame(await read(t, { 'state.json': PLAN }, '.'), [['state.json', 1]])
})

test('a folder without a template', async (t) => {
  t.strictSame(await read(t, { 'empty/main.tf': '' }, 'empty'), [['empty', 'empty has no template']])
})

test('a folder with another manifest.json is a folder of templates', async (t) => {
  const files = { 'web/manifest.json': '{"name":"shop"}', 'web/a.json': TEMPLATE }
  t.strictSame(await read(t, files, 'web'), [['web/a.json', 1]])
  t.equal(readStacks(join(filesIn(t, files), 'web')), undefined)
})

test('a broken manifest.json is named beside the templates', async (t) => {
  t.strictSame(await read(t, { 'web/manifest.json': '{"version":', 'web/a.json': TEMPLATE }, 'web'), [
    ['web/a.json', 1],
    ['web/manifest.json', 'web/manifest.json cannot be read (SyntaxError: Unexpected end of JSON input)'],
  ])
})
