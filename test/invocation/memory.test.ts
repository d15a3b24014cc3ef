import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))

/**
 * Processes 100 events of 1,000 records. Returns by how many bytes the heap grew in this time, without garbage that a
 * minor collection finds. In a process of its own, because tap keeps more in memory.
 */
function heapGrowth(innerHandler: string): number {
  const program = `
    import middy from '@middy/core'
    import { boundedSqsBatch, eachChunk, eachRecord } from ${JSON.stringify(index)}

    const event = ${JSON.stringify(JSON.stringify(standardEvent(...ids(1_000))))}
    const handler = middy().use(boundedSqsBatch()).handler(${innerHandler})

    // A function, because the variables of the loop would keep the last event.
    async function invoke() {
      const { batchItemFailures } = await handler(JSON.parse(event), {})
      if (batchItemFailures.length > 0) throw new Error('records failed')
    }

    gc()
    const before = process.memoryUsage().heapUsed
    const heapUsed = []
    for (let invocation = 1; invocation <= 100; invocation++) {
      await invoke()
      await new Promise(setImmediate)
      if (invocation % 10 > 0) continue
      gc({ type: 'minor' })
      heapUsed.push(process.memoryUsage().heapUsed)
    }
    console.log(Math.max(...heapUsed) - before)
  `
  const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module'], { input: program })
  return Number(output)
}

// V8 has a full garbage collection only after the heap has grown. A function with little memory needs the minor ones.
for (const [name, innerHandler] of Object.entries({
  'eachRecord()': 'eachRecord(async () => {})',
  'eachRecord(), whose handler reads the signal':
    'eachRecord(async (record, context, { signal }) => { signal.aborted })',
  'eachChunk()': 'eachChunk(10, async () => {})',
  'eachChunk(), whose handler reads the signal':
    'eachChunk(10, async (chunk, context, { signal }) => { signal.aborted })',
})) {
  t.test(`${name}: minor garbage collections free the records of ended invocations`, (t) => {
    const growth = heapGrowth(innerHandler)
    t.ok(growth < 10_000_000, `the heap grew by ${growth} bytes`)
    t.end()
  })
}
