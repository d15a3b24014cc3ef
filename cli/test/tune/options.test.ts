import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { parse } from 'yaml'
import { CONCURRENCY } from '../../src/tune/defaults.ts'
import { QUICK } from '../../src/tune/figures/confidence.ts'
import { type TuneFlags, toTuneOptions } from '../../src/tune/options.ts'
import { patchFor } from '../../src/tune/patch.ts'
import { combination } from '../support/combinations.ts'
import { folder, handlerFile } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'

const MAPPING = { BatchSize: 5000, MaximumBatchingWindowInSeconds: 5, ScalingConfig: { MaximumConcurrency: 10 } }

/** The options on a machine with two processors. */
function optionsOf(t: Test, flags: Partial<TuneFlags> = {}) {
  const messagesFile = join(folder(t), 'sample.jsonl')
  writeFileSync(messagesFile, '{"number":1}')
  const needed = { messagesFile, concurrency: CONCURRENCY, optimize: 'balanced', arch: 'x86_64' } as const
  return toTuneOptions(handlerFile('tuned.ts'), { ...needed, ...flags }, 2)
}

async function patchOf(t: Test, flags: Partial<TuneFlags>) {
  const { run, batchSize, mapping } = await optionsOf(t, flags)
  const { patch } = run(batchSize, QUICK)
  return parse(patchFor(combination({ memory: 256, concurrency: 42 }), patch, [], mapping)).Resources
}

test('flags change the run, and the patch keeps the values of the template', async (t) => {
  const template = templateFile(
    t,
    sam({ function: { Timeout: 60 }, mapping: MAPPING, queue: { VisibilityTimeout: 365 } }),
  )
  const { run } = await optionsOf(t, { template, batchSize: 500, environments: 1, timeout: 5 })
  t.match(run(500, QUICK).plan.workload, { batchSize: 500, environments: 1, timeout: 5 })
  const { Handler, Queue } = await patchOf(t, { template, batchSize: 500, environments: 1, timeout: 5 })
  t.equal(Handler.Properties.Timeout, 60)
  t.strictSame(Handler.Properties.Events.Orders.Properties, {
    ...MAPPING,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  })
  t.strictSame(Queue.Properties, { VisibilityTimeout: 365 })
})

test('the patch has the values of flags if the template does not have the settings', async (t) => {
  const { Handler } = await patchOf(t, { template: templateFile(t, sam()), environments: 2 })
  t.strictSame(Handler.Properties.Events.Orders.Properties.ScalingConfig, { MaximumConcurrency: 2 })
})

test('the patch omits a batch size of the template that is not known, also if a flag sets one for the run', async (t) => {
  const template = templateFile(t, sam({ mapping: { BatchSize: { 'Fn::ImportValue': 'size' } } }))
  const { Handler } = await patchOf(t, { template, batchSize: 500 })
  t.notOk('BatchSize' in Handler.Properties.Events.Orders.Properties)
})

test('at most one environment runs on each processor, and a note says so', async (t) => {
  const template = templateFile(t, sam({ mapping: MAPPING }))
  const { environments, notes } = await optionsOf(t, { template })
  t.equal(environments, 2)
  t.ok(
    notes.includes(
      `the maximum concurrency in ${template} is 10, but this machine has 2 processors. So tune runs only 2 at once, because environments that share a processor slow each other down`,
    ),
    notes.join('\n'),
  )
  const unchanged = await optionsOf(t, { environments: 2 })
  t.equal(unchanged.environments, 2)
  t.notMatch(unchanged.notes, /processor/)
  await t.rejects(optionsOf(t, { environments: 3 }), {
    name: 'UsageError',
    message:
      '--environments 3 is too high: this machine has 2 processors, and tune runs at most one environment on each, because environments that share a processor slow each other down. Use at most 2',
  })
})
