import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { UsageError } from '../../src/shared/errors.ts'
import { readTemplate } from '../../src/template/read-template.ts'
import { inProcess } from '../support/in-process.ts'
import { folder } from '../support/runs.ts'
import { cloudFormation, sam, templateFile } from '../support/templates.ts'

/** Checks that the text is refused with an error of one line that names the position. */
function refuses(title: string, text: string, line: RegExp) {
  return test(`refused: ${title}`, async (t) => {
    const error = await readTemplate(templateFile(t, text), new Map()).catch((error) => error)
    t.ok(error instanceof UsageError, String(error))
    t.match(error.message, line)
    t.notMatch(error.message, '\n')
  })
}

refuses('a comment', '# nothing\n', /:1:1: there is no Resources map, so this is not a SAM or CloudFormation template$/)
refuses('a list', '- a\n', /there is no Resources map/)
refuses('Resources that are a list', 'Resources: []', /there is no Resources map/)
refuses(
  'a wrong indentation',
  'Resources:\n  Queue:\n    Type: x\n   Properties: y\n',
  /template\.yaml:4:1: not valid YAML: /,
)
refuses('a tab', 'Resources:\n\tQueue: x\n', /template\.yaml:2:1: not valid YAML: Tabs are not allowed as indentation$/)
refuses('a missing comma (JSON)', '{\n  "Resources": {}\n  "Outputs": {} }', /template\.yaml:3:3: not valid JSON: /)

/** Checks that the command prints one line and exits with code 2. */
function fails(title: string, args: (file: (template: unknown) => string) => string[], line: RegExp) {
  return test(`the command: ${title}`, async (t) => {
    const { code, stdout, stderr } = await inProcess(['doctor', ...args((template) => templateFile(t, template))])
    t.strictSame([code, stdout], [2, ''])
    t.match(stderr, line)
    t.equal(stderr.trimEnd().split('\n').length, /^error:/.test(stderr) ? 2 : 1)
  })
}

fails(
  'nothing to check',
  () => [],
  /^bounded-sqs-batch: there is nothing to check: name a template file, or use --function NAME$/m,
)
fails('no such file', () => ['nope.yaml'], /^bounded-sqs-batch: there is no file nope\.yaml$/m)
fails('a folder without templates', () => ['src/shared'], /^bounded-sqs-batch: src\/shared has no template$/m)
fails('invalid YAML', (file) => [file('a: b: c')], /template\.yaml:1:4: not valid YAML: /)
fails('two things to check', (file) => [file(sam()), '--function', 'x'], /a template and --function cannot be combined/)
fails('a region with a template', (file) => [file(sam()), '--region', 'x'], /--region needs --function/)
fails('a parameter with --function', () => ['--function', 'x', '--parameter', 'A=1'], /--parameter needs a template/)
fails('no function name', () => ['--function', ' '], /there is nothing to check: name a template file/m)
fails(
  'a parameter without =',
  (file) => [file(sam()), '--parameter', 'Stage'],
  /--parameter Stage: write --parameter NAME=VALUE$/m,
)
fails(
  'a parameter without a name',
  (file) => [file(sam()), '--parameter', '=x'],
  /--parameter =x: write --parameter NAME=VALUE$/m,
)
fails(
  'a parameter that the template does not have',
  (file) => [file({ ...sam(), Parameters: { Stage: {}, Size: {} } }), '--parameter', 'Stag=x'],
  /--parameter Stag: no template has a parameter of this name\. The parameters are: Stage, Size$/m,
)
fails('another format', (file) => [file(sam()), '--format', 'xml'], /Allowed choices are text, json, github/)
fails(
  'a template without SQS',
  (file) => [file({ Resources: { Queue: { Type: 'AWS::SQS::Queue' } } })],
  /There is no SQS event source mapping in \S+template\.yaml, so nothing was checked$/m,
)
fails(
  'a template whose only mapping has a condition that is false',
  (file) => {
    const { Resources } = cloudFormation()
    const Conditions = { Prod: { 'Fn::Equals': ['a', 'b'] } }
    return [file({ Conditions, Resources: { ...Resources, Orders: { ...Resources.Orders, Condition: 'Prod' } } })]
  },
  /so nothing was checked\. Not read: Orders \(line \d+\): its condition Prod is false with these parameters$/m,
)

test('a hundred functions: each is checked', async (t) => {
  const Resources: Record<string, unknown> = {}
  for (let number = 0; number < 100; number++) {
    const { Handler, Queue, Dead } = cloudFormation({ function: { InlineCode: 'batchItemFailures' } }).Resources
    const policy = { deadLetterTargetArn: { 'Fn::GetAtt': [`Dead${number}`, 'Arn'] }, maxReceiveCount: 5 }
    const ends = {
      FunctionName: { Ref: `Handler${number}` },
      EventSourceArn: { 'Fn::GetAtt': [`Queue${number}`, 'Arn'] },
      FunctionResponseTypes: number % 10 === 0 ? [] : ['ReportBatchItemFailures'],
    }
    Object.assign(Resources, {
      [`Handler${number}`]: Handler,
      [`Queue${number}`]: { ...Queue, Properties: { ...Queue.Properties, RedrivePolicy: policy } },
      [`Dead${number}`]: Dead,
      [`Orders${number}`]: { Type: 'AWS::Lambda::EventSourceMapping', Properties: ends },
    })
  }
  const { code, stdout } = await inProcess(['doctor', templateFile(t, { Resources }), '--format', 'json'])
  t.equal(code, 1)
  t.strictSame(
    JSON.parse(stdout).findings.map(({ rule, resource }: Record<string, string>) => `${rule} ${resource}`),
    Array.from({ length: 10 }, (_, ten) => `report-batch-item-failures Orders${ten * 10}`),
  )
})

// The maximum of CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
test('templates of 1 MB, YAML and JSON', async (t) => {
  const { Resources } = sam({ function: { Runtime: 'provided.al2023' } })
  const filler = Array.from({ length: 10_000 }, (_, n) => [
    `Topic${n}`,
    { Type: 'AWS::SNS::Topic', Properties: { DisplayName: 'x'.repeat(60) } },
  ])
  const json = JSON.stringify({ Resources: { ...Object.fromEntries(filler), ...Resources } })
  const yaml = `Resources:\n${filler.map(([id, topic]) => `  ${id}: ${JSON.stringify(topic)}\n`).join('')}${Object.entries(
    Resources,
  )
    .map(([id, resource]) => `  ${id}: ${JSON.stringify(resource)}\n`)
    .join('')}`
  for (const [name, text] of [
    ['big.json', json],
    ['big.yaml', yaml],
  ] as const) {
    t.ok(text.length > 1_000_000)
    const file = join(folder(t), name)
    writeFileSync(file, text)
    const before = process.cpuUsage() // not the time of the clock, which also passes while other processes run
    const { mappings } = await readTemplate(file, new Map())
    t.strictSame(
      mappings.map(({ id, queue }) => [id, queue.id]),
      [['Handler/Orders', 'Queue']],
    )
    const { user } = process.cpuUsage(before)
    t.ok(user < 10e6, `${name} in ${Math.round(user / 1000)} ms of CPU time`)
  }
})
