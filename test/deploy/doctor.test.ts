import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { samTemplateOfPage } from '../support/pages.ts'
import { cdkTemplate, type Properties, partsOf, samFile, samTemplate, writeTemplate } from '../support/templates.ts'

const bin = fileURLToPath(new URL('../../cli/dist/bin.js', import.meta.url))

/** The findings of `bounded-sqs-batch doctor --strict`, and its exit code. */
async function doctor(...args: string[]): Promise<{ exitCode: number; findings: { file: string; rule: string }[] }> {
  const command = [bin, 'doctor', '--strict', '--format', 'json', ...args]
  const { code, stdout } = await promisify(execFile)(process.execPath, command, {
    env: { PATH: process.env.PATH },
  }).then(
    (output) => ({ ...output, code: 0 }),
    (error: { code: number; stdout: string }) => error,
  )
  return { exitCode: code, findings: JSON.parse(stdout).findings }
}

const clean = { exitCode: 0, findings: [] }

t.test('doctor --strict finds nothing in either template, with and without the pause on an outage', async (t) => {
  for (const pauseOnOutage of [false, true]) {
    const { file } = cdkTemplate(temporaryFolder(t), { pauseOnOutage })
    t.strictSame(await doctor('--parameter', `PauseOnOutage=${pauseOnOutage}`, samFile), clean)
    t.strictSame(await doctor(file), clean)
  }
})

t.test('doctor --strict finds nothing in the template of docs/deploy.md', async (t) => {
  const folder = temporaryFolder(t, { 'template.yaml': samTemplateOfPage() })
  t.strictSame(await doctor(`${folder}/template.yaml`), clean)
})

t.test('doctor --strict finds nothing in the SAM template with its shortest and longest times', async (t) => {
  const times = (timeout: number, window: number) =>
    doctor('--parameter', `FunctionTimeout=${timeout}`, '--parameter', `BatchingWindow=${window}`, samFile)
  t.strictSame(await times(30, 1), clean)
  t.strictSame(await times(900, 30), clean)
})

type Changes = { [part in keyof ReturnType<typeof partsOf>]?: Properties }

const fifo = { queue: { FifoQueue: true }, deadLetterQueue: { FifoQueue: true } }
const ofTen = { BatchSize: 10, MaximumBatchingWindowInSeconds: undefined }
const pollers = { MinimumPollers: 2, MaximumPollers: 10 }

/** Changed settings (undefined removes one), and the rules that report the change, in the order of doctor. */
const MUTATIONS: [what: string, changes: Changes, rules: string[]][] = [
  ['no response types', { mapping: { FunctionResponseTypes: undefined } }, ['report-batch-item-failures']],
  ['no response type in the list', { mapping: { FunctionResponseTypes: [] } }, ['report-batch-item-failures']],
  ['10,001 records', { mapping: { BatchSize: 10_001 } }, ['invalid-value']],
  ['no window', { mapping: { MaximumBatchingWindowInSeconds: undefined } }, ['batch-needs-window']],
  [
    '11 records, a window of 0',
    { mapping: { BatchSize: 11, MaximumBatchingWindowInSeconds: 0 } },
    ['batch-needs-window'],
  ],
  ['10 records, no window', { mapping: ofTen }, []],
  ['a maximum concurrency of 1', { mapping: { ScalingConfig: { MaximumConcurrency: 1 } } }, ['invalid-value']],
  ['a maximum concurrency of 1,001', { mapping: { ScalingConfig: { MaximumConcurrency: 1001 } } }, ['quota']],
  [
    'a maximum concurrency and pollers',
    { mapping: { ProvisionedPollerConfig: pollers } },
    ['concurrency-and-provisioned'],
  ],
  [
    'a reserved concurrency below the maximum concurrency',
    { lambda: { ReservedConcurrentExecutions: 9 } },
    ['concurrency-above-reserved'],
  ],
  ['a visibility timeout below the timeout', { queue: { VisibilityTimeout: 59 } }, ['visibility-below-timeout']],
  ['the default visibility timeout', { queue: { VisibilityTimeout: undefined } }, ['visibility-below-timeout']],
  ['a visibility timeout that is 1 s too short', { queue: { VisibilityTimeout: 364 } }, ['visibility-headroom']],
  ['a timeout 1 s longer', { lambda: { Timeout: 61 } }, ['visibility-headroom']],
  ['no redrive policy', { queue: { RedrivePolicy: undefined } }, ['no-redrive-policy']],
  ['a maxReceiveCount of 3', { redrive: { maxReceiveCount: 3 } }, ['max-receive-count']],
  ['dead letters kept for 1 day', { deadLetterQueue: { MessageRetentionPeriod: 86_400 } }, ['dead-letter-retention']],
  ['FIFO, 11 records', { ...fifo, mapping: { ...ofTen, BatchSize: 11 } }, ['fifo-batch-size']],
  ['FIFO, a window', { ...fifo, mapping: { BatchSize: 10 } }, ['fifo-window']],
]

t.test('doctor reports each change of a template by exactly the listed rules', async (t) => {
  const cdk = cdkTemplate(temporaryFolder(t)).template
  for (const [name, template] of [
    ['SAM', samTemplate()],
    ['CDK', cdk],
  ] as const) {
    t.test(name, async (t) => {
      const folder = temporaryFolder(t)
      const files = MUTATIONS.map(([, changes], index) => {
        const mutant = structuredClone(template)
        const parts = partsOf(mutant)
        for (const [part, properties] of Object.entries(changes))
          Object.assign(parts[part as keyof Changes], properties)
        return writeTemplate(`${folder}/${index}.json`, mutant)
      })
      const { findings } = await doctor(...files)
      t.strictSame(
        MUTATIONS.map(([what], index) => [
          what,
          findings.filter(({ file }) => file === files[index]).map(({ rule }) => rule),
        ]),
        MUTATIONS.map(([what, , rules]) => [what, rules]),
      )
    })
  }
})
