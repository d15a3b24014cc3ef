import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { type LocalFlags, toRunOptions } from '../../../src/local/command/options.ts'
import { inProcess } from '../../support/in-process.ts'
import { folder, handlerFile } from '../../support/runs.ts'

const HANDLER = `${handlerFile('plain.mjs')}#synchronous`
const FLAGS = { maxDeadLettered: 0, maxFailedInvocations: 0, reportBatchItemFailures: true, freeze: true }

async function batchSizeOf(flags: Partial<LocalFlags>) {
  const lines: string[] = []
  const { mapping } = await toRunOptions(HANDLER, { ...FLAGS, ...flags }, undefined, (line) => lines.push(line))
  return { batchSize: mapping.batchSize as number, lines }
}

test('by default, messages need five invocations or more, unless there are fewer messages, and a line says the size', async (t) => {
  const expected: [messages: number, batchSize: number][] = [
    [1, 1],
    [4, 1],
    [5, 1],
    [6, 1],
    [9, 1],
    [11, 2],
    [200, 40],
    [204, 40],
    [50_000, 10_000],
    [1_000_000, 10_000],
  ]
  for (const [messages, wanted] of expected) {
    const { batchSize, lines } = await batchSizeOf({ messages })
    t.equal(batchSize, wanted, `${messages} messages`)
    t.ok(Math.ceil(messages / batchSize) >= Math.min(5, messages))
    t.match(lines, [`batch size ${wanted.toLocaleString('en-US')} (default for `])
  }
})

test('on a FIFO queue, the default is at most ten', async (t) => {
  t.equal((await batchSizeOf({ messages: 200, fifo: true })).batchSize, 10)
  t.equal((await batchSizeOf({ messages: 11, fifo: true })).batchSize, 2)
})

test('the messages of a file are counted', async (t) => {
  const messagesFile = join(folder(t), 'messages.jsonl')
  writeFileSync(messagesFile, '{"body":"x"}\n'.repeat(15))
  t.equal((await batchSizeOf({ messagesFile })).batchSize, 3)
})

test('if the number of messages is not known, or with a batch size or a template, no line says a default', async (t) => {
  t.strictSame(await batchSizeOf({ port: 0 }), { batchSize: 10_000, lines: [] })
  t.strictSame(await batchSizeOf({ messages: 200, batchSize: 7 }), { batchSize: 7, lines: [] })
  t.strictSame(await batchSizeOf({ messages: 200, template: 'template.yaml' }), { batchSize: 10_000, lines: [] })
})

test('a run of six messages with default flags has at least five invocations, and its last line says so', async (t) => {
  const { stdout } = await inProcess(['local', `${handlerFile('leftovers.mjs')}#correct.zip`, '--messages', '6'])
  t.match(stdout, /^batch size 1 \(default for 6 messages; see --batch-size\)$/m)
  t.match(stdout, /\npassed: 6 processed in 6 invocations of 1 process\n$/)
})
