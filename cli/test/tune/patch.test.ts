import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { parse } from 'yaml'
import { doctor } from '../../src/doctor/doctor.ts'
import { type PatchSettings, patchFor } from '../../src/tune/patch.ts'
import { combination } from '../support/combinations.ts'
import { folder } from '../support/runs.ts'
import { cloudFormation, only, read, sam, templateFile } from '../support/templates.ts'

const COMBINATION = combination({ memory: 256, concurrency: 42 })
const MEASURED = { environments: 4, batchSize: 1000, timeout: 30, mostRecords: 7000 }
const SETTINGS = { environments: 4, batchSize: 1000, window: 1, timeout: 30, measured: MEASURED }
const MEASURED_NOTE = '# Measured with 4 environments, batches of 1,000 records, and a timeout of 30 s.'

// biome-ignore lint/suspicious/noExplicitAny: any YAML
type Yaml = any

function merge(into: Yaml, changes: Yaml): Yaml {
  if (typeof changes !== 'object' || Array.isArray(changes) || typeof into !== 'object') return changes
  const keys = new Set([...Object.keys(into), ...Object.keys(changes)])
  return Object.fromEntries(
    [...keys].map((key) => [key, key in changes ? merge(into[key] ?? {}, changes[key]) : into[key]]),
  )
}

/** Runs doctor in this process, with a fixed date: later, the runtime of the patch is deprecated. */
async function strict(t: Test, file: string) {
  const log = t.capture(console, 'log')
  const flags = { strict: true, format: 'json' } as const
  const code = await doctor([file], flags)
  log.restore()
  return {
    code,
    errors: JSON.parse(String(log.args()[0])).findings.filter(({ severity }: Yaml) => severity !== 'info'),
  }
}

for (const [name, settings] of [
  ['four environments', SETTINGS],
  ['one environment', { ...SETTINGS, environments: 1 }],
  ['batches of 10 without a window', { ...SETTINGS, batchSize: 10, window: 0 }],
  ['a FIFO queue', { ...SETTINGS, batchSize: 10, window: undefined }],
  ['the longest timeout', { ...SETTINGS, timeout: 900, window: 300 }],
] as const) {
  test(`without a template, doctor --strict accepts the patch as a template: ${name}`, async (t) => {
    const file = join(folder(t), 'patch.yaml')
    writeFileSync(file, patchFor(COMBINATION, settings, []))
    t.strictSame(await strict(t, file), { code: 0, errors: [] })
  })
}

/** The patch without a template. */
const WHOLE = `${MEASURED_NOTE}
# Add CodeUri and Handler, or merge these settings into your template.
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs24.x
      MemorySize: 256
      Timeout: 30
      Environment:
        Variables:
          BOUNDED_SQS_BATCH_CONCURRENCY: "42"
      Events:
        Messages:
          Type: SQS
          Properties:
            Queue:
              Fn::GetAtt:
                - Queue
                - Arn
            BatchSize: 1000
            MaximumBatchingWindowInSeconds: 1
            ScalingConfig:
              MaximumConcurrency: 4
            FunctionResponseTypes:
              - ReportBatchItemFailures
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 181
      RedrivePolicy:
        deadLetterTargetArn:
          Fn::GetAtt:
            - DeadLetterQueue
            - Arn
        maxReceiveCount: 5
  DeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
`

test('without a template, the patch has all settings', async (t) => {
  t.equal(patchFor(COMBINATION, SETTINGS, []), WHOLE)
})

test('without a template, two environments are a maximum concurrency, and one is not', async (t) => {
  const measured = { ...MEASURED, environments: 1 }
  const patchWith = (environments: number) => patchFor(COMBINATION, { ...SETTINGS, environments, measured }, [])
  const one = patchWith(1)
  t.match(
    one,
    '# Measured with 1 environment, batches of 1,000 records, and a timeout of 30 s.\n' +
      '# Add CodeUri and Handler, or merge these settings into your template.\n' +
      '# MaximumConcurrency is missing, because it must be at least 2. To set it, run tune with --environments 2.\n',
  )
  t.notMatch(one, 'ScalingConfig')
  t.match(patchWith(2), 'MaximumConcurrency: 2\n')
  t.notMatch(patchWith(2), 'MaximumConcurrency is missing')
})

test('without a template, both queues of a FIFO mapping are FIFO queues, and it has no window', async (t) => {
  const { Resources } = parse(patchFor(COMBINATION, { ...SETTINGS, batchSize: 10, window: undefined }, []))
  t.strictSame(Resources.Queue.Properties.FifoQueue, true)
  t.strictSame(Resources.Queue.Properties.VisibilityTimeout, 180)
  t.strictSame(Resources.DeadLetterQueue.Properties, { FifoQueue: true, MessageRetentionPeriod: 1_209_600 })
  t.notOk('MaximumBatchingWindowInSeconds' in Resources.Function.Properties.Events.Messages.Properties)
})

for (const [name, template] of [
  ['SAM', sam],
  ['CloudFormation', cloudFormation],
] as const) {
  test(`${name}: the patch changes only these settings, and doctor --strict accepts the merged template`, async (t) => {
    const before = template({ queue: { VisibilityTimeout: 30 }, mapping: { FunctionResponseTypes: [] } })
    const target = only((await read(t, before)).mappings)
    const patch = parse(patchFor(COMBINATION, { ...SETTINGS, timeout: 60 }, [], target))
    const mapping = {
      BatchSize: 1000,
      MaximumBatchingWindowInSeconds: 1,
      ScalingConfig: { MaximumConcurrency: 4 },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    }
    const Properties = {
      MemorySize: 256,
      Timeout: 60,
      Environment: { Variables: { BOUNDED_SQS_BATCH_CONCURRENCY: '42' } },
    }
    const Queue = { Properties: { VisibilityTimeout: 361 } }
    t.strictSame(
      patch.Resources,
      name === 'SAM'
        ? { Handler: { Properties: { ...Properties, Events: { Orders: { Properties: mapping } } } }, Queue }
        : { Handler: { Properties }, Orders: { Properties: mapping }, Queue },
    )
    const file = templateFile(t, merge(before, patch))
    t.strictSame(await strict(t, file), { code: 0, errors: [] })
  })
}

test('the patch never lowers the visibility timeout: another mapping of the queue may need it', async (t) => {
  async function timeoutIn(VisibilityTimeout: number) {
    const target = only((await read(t, sam({ queue: { VisibilityTimeout } }))).mappings)
    return parse(patchFor(COMBINATION, SETTINGS, [], target)).Resources.Queue.Properties.VisibilityTimeout
  }
  t.equal(await timeoutIn(180), 181)
  t.equal(await timeoutIn(5400), 5400)
})

test('notes say which settings belong to another stack, and which one the mapping cannot have', async (t) => {
  const Queue = { 'Fn::ImportValue': 'queue' }
  const pollers = { ProvisionedPollerConfig: { MinimumPollers: 2, MaximumPollers: 4 } }
  const target = only((await read(t, sam({ mapping: { Queue, ...pollers } }))).mappings)
  const patch = patchFor(COMBINATION, SETTINGS, [], target)
  t.notMatch(patch, 'ScalingConfig')
  t.strictSame(Object.keys(parse(patch).Resources), ['Handler'])
  t.match(patch, /^# Provisioned mode has no MaximumConcurrency, so this patch does not limit .+ 4 environments\.$/m)
  t.match(patch, /^# The queue is not in this template \(.+\)\. Where it is defined, set VisibilityTimeout 181\.$/m)
  t.match(patchFor(COMBINATION, { ...SETTINGS, environments: 1 }, [], target), '# MaximumConcurrency is missing, ')
})

test('if the function is not in the template, a note has its settings', async (t) => {
  const target = only((await read(t, sam())).mappings)
  const unread = { ...target, function: { ...target.function, unreadReason: 'it is in another stack' } }
  const noteOf = (changes: Partial<PatchSettings>) =>
    /^# The function .*$/m.exec(patchFor(COMBINATION, { ...SETTINGS, ...changes }, [], unread))?.[0]
  const where =
    '# The function is not in this template (it is in another stack). Where it is defined, set MemorySize 256,'
  t.equal(noteOf({}), `${where} Timeout 30, BOUNDED_SQS_BATCH_CONCURRENCY 42.`)
  t.equal(noteOf({ timeout: undefined }), `${where} BOUNDED_SQS_BATCH_CONCURRENCY 42.`)
  const { Resources } = parse(patchFor(COMBINATION, SETTINGS, [], unread))
  t.strictSame(Object.keys(Resources.Handler.Properties), ['Events'])
  // An alias of a function that is in the template.
  const { Resources: ofAlias } = parse(
    patchFor(COMBINATION, SETTINGS, [], { ...unread, function: { ...unread.function, aliasOf: target.function } }),
  )
  t.equal(ofAlias.Handler.Properties.MemorySize, 256)
})

test('SAM cannot set the mapping for SqsSubscription, so the patch has only the function and the queue', async (t) => {
  const target = only((await read(t, sam())).mappings)
  const patch = patchFor(COMBINATION, SETTINGS, [], { ...target, isFromSnsEvent: true })
  t.match(
    patch,
    /^# SAM cannot set these settings of the mapping for SqsSubscription\. `doctor` says what to do instead\.$/m,
  )
  t.strictSame(Object.keys(parse(patch).Resources), ['Handler', 'Queue'])
  t.notOk('Events' in parse(patch).Resources.Handler.Properties)
})

test('if it is not known whether the mapping is in provisioned mode, a note says so', async (t) => {
  const target = only(
    (await read(t, sam({ mapping: { ProvisionedPollerConfig: { 'Fn::ImportValue': 'x' } } }))).mappings,
  )
  const patch = patchFor(COMBINATION, SETTINGS, [], target)
  t.notMatch(patch, 'ScalingConfig')
  t.match(
    patch,
    /^# It is not known whether the mapping is in provisioned mode, which has no MaximumConcurrency\. So this patch does not limit the function to 4 environments\.$/m,
  )
})

test('the given notes are the first comments', async (t) => {
  const target = only((await read(t, sam())).mappings)
  t.match(
    patchFor(COMBINATION, SETTINGS, ['First.', 'Second.']),
    `# First.\n# Second.\n${MEASURED_NOTE}\n# Add CodeUri and Handler`,
  )
  t.match(patchFor(COMBINATION, SETTINGS, ['First.'], target), `# First.\n${MEASURED_NOTE}\n# Merge these settings`)
})

test('a note says if the reserved concurrency is below the maximum concurrency of the patch', async (t) => {
  const note = /^# The reserved concurrency of the function is 3\. Set ReservedConcurrentExecutions to 4 or more\.$/m
  const patch = async (ReservedConcurrentExecutions: number) =>
    patchFor(
      COMBINATION,
      SETTINGS,
      [],
      only((await read(t, sam({ function: { ReservedConcurrentExecutions } }))).mappings),
    )
  t.match(await patch(3), note)
  t.notMatch(await patch(4), 'ReservedConcurrentExecutions')
  t.notMatch(patchFor(COMBINATION, SETTINGS, []), 'ReservedConcurrentExecutions')
})

/** The comments about the measurement. */
function notesAbout(changes: Partial<PatchSettings>, combination = COMBINATION): string[] {
  const patch = patchFor(combination, { ...SETTINGS, ...changes }, [])
  return patch.slice(0, patch.indexOf('\n# Add CodeUri')).split('\n')
}

test('comments say under what settings it was measured, and what to check if the patch has others', async (t) => {
  t.strictSame(notesAbout({}), [MEASURED_NOTE])
  const fits = 'and that the process fits into 256 MB: tune'
  // 1,000 successful records per second in 4 environments: 5,000 records take 20 s.
  const check =
    `# Before you deploy, check with batches of 5,000 records that a batch ends before the timeout of 30 s, ${fits} ` +
    '--batch-size 5000 --timeout 30 --memory 256 --concurrency 168. '
  t.strictSame(notesAbout({ batchSize: 5000 }), [
    MEASURED_NOTE,
    `${check}At the measured speed, a batch takes 20.0 s, and the timeout leaves 29.0 s.`,
  ])
  const slow = { ...COMBINATION, goodput: 500 }
  t.strictSame(notesAbout({ batchSize: 5000 }, slow), [
    MEASURED_NOTE,
    `${check}At the measured speed, a batch takes 40.0 s, but the timeout leaves 29.0 s. So lower BatchSize or raise Timeout.`,
  ])
  t.strictSame(notesAbout({ batchSize: 7250, measured: { ...MEASURED, mostRecords: 10_000 } }), [
    MEASURED_NOTE,
    `${check.replaceAll('5,000', '7,250').replace('5000', '7250')}At the measured speed, a batch takes 29.0 s, and the timeout leaves 29.0 s.`,
  ])
  t.strictSame(notesAbout({ environments: 10 }), [
    MEASURED_NOTE,
    '# MaximumConcurrency 10 was not measured. With it, up to 420 records are in flight at once, and tune measured at most 168. ' +
      'Check that the services that the handler calls can process them, or lower MaximumConcurrency.',
  ])
  t.strictSame(notesAbout({ batchSize: 10_000, measured: { ...MEASURED, mostRecords: 1000 } }), [MEASURED_NOTE])
  const unknown = notesAbout({ batchSize: undefined })[1]
  t.equal(
    unknown,
    '# Before you deploy, check with the batch size of the template that a batch ends before the timeout of the template, and that the process fits into 256 MB.',
  )
  t.equal(
    notesAbout({ timeout: undefined })[1],
    '# Before you deploy, check with batches of 1,000 records that a batch ends before the timeout of the template, and that the process fits into 256 MB.',
  )
  t.match(notesAbout({ timeout: 10 })[1], /^# Before you deploy, check with batches of 1,000 records .* of 10 s, /)
})

test('the patch omits settings that the template has, but that are not known', async (t) => {
  const target = only((await read(t, sam({ function: { ReservedConcurrentExecutions: 3 } }))).mappings)
  const unknown = { environments: undefined, batchSize: undefined, window: undefined, timeout: undefined }
  const patch = patchFor(COMBINATION, { ...SETTINGS, ...unknown }, [], target)
  t.strictSame(patch.match(/^# Merge.*\n(?:#.*\n)*/m)?.[0], '# Merge these settings into your template.\n')
  const { Resources } = parse(patch)
  t.strictSame(Object.keys(Resources.Handler.Properties), ['MemorySize', 'Environment', 'Events'])
  t.strictSame(Resources.Handler.Properties.Events.Orders.Properties, {
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  })
  t.strictSame(Resources.Queue.Properties, { VisibilityTimeout: 185 })
})
