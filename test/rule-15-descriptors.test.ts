import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { warnOfDescriptorLimit } from '../src/descriptors.ts'
import { warned } from './support.ts'

const index = fileURLToPath(new URL('../src/index.ts', import.meta.url))

/** Makes a middleware in a process with this limit of descriptors, and returns the codes of the warnings. */
function warningCodes(limit: number, concurrency: number): unknown {
  const program = `
    const codes = []
    process.removeAllListeners('warning')
    process.on('warning', ({ name, code, message }) => codes.push([name, code, message]))
    const { boundedSqsBatch } = await import(${JSON.stringify(index)})
    boundedSqsBatch({ concurrency: ${concurrency} })
    setImmediate(() => console.log(JSON.stringify(codes)))
  `
  const shell = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`
  return JSON.parse(execFileSync('bash', ['-c', shell, process.execPath, program], { encoding: 'utf8' }))
}

t.test('a concurrency that cannot fit under the limit gives one warning with a code', (t) => {
  const warnings = warningCodes(200, 250) as string[][]
  t.match(warnings, [['BoundedSqsBatchWarning', 'BOUNDED_SQS_BATCH_DESCRIPTORS', /concurrency of 250 does not fit/]])
  t.equal(warnings.length, 1)
  t.end()
})

t.test('descriptors that are open already are counted', (t) => {
  t.match(warningCodes(200, 199), [['BoundedSqsBatchWarning', 'BOUNDED_SQS_BATCH_DESCRIPTORS']])
  t.end()
})

t.test('one that fits gives none', (t) => {
  t.strictSame(warningCodes(200, 100), [])
  t.strictSame(warningCodes(1024, 100), [])
  t.end()
})

t.test('nor does a limit that is not known, or none', async (t) => {
  const missing = () => {
    throw new Error('ENOENT')
  }
  const unlimited = () => 'Max open files            unlimited            unlimited            files'
  const { readFileSync } = fs
  t.teardown(() => {
    fs.readFileSync = readFileSync
  })
  for (const limits of [missing, unlimited]) {
    Object.assign(fs, { readFileSync: limits })
    t.strictSame(await warned(() => warnOfDescriptorLimit(1_000_000)), [])
  }
})
