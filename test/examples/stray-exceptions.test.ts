import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'

t.test('stray-exceptions.ts names the record whose exception ended the process, and no other', async (t) => {
  const file = join(import.meta.dirname, '../../examples/stray-exceptions.ts')
  const code = `import ${JSON.stringify(file)}
    import { setTimeout as sleep } from 'node:timers/promises'
    import middy from '@middy/core'
    import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
    const handler = middy().use(boundedSqsBatch()).handler(eachRecord(async (_record, _context, { index }) => {
      await sleep(1)
      if (index === 3) setImmediate(() => { throw new Error('stray') })
      await sleep(60_000)
    }))
    await handler(JSON.parse(process.env.EVENT), {})`
  const EVENT = JSON.stringify(standardEvent('m0', 'm1', 'm2', 'm3', 'm4'))
  const options = {
    cwd: temporaryFolder(t),
    env: { ...process.env, NODE_OPTIONS: '', EVENT },
    encoding: 'utf8',
    timeout: 30_000,
  } as const
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], options)
  t.equal(status, 1)
  t.strictSame(
    stderr.split('\n').filter((line) => /\bm\d/.test(line)),
    ['An exception ends the process. It came from the record m3'],
  )
  t.match(stderr, 'Error: stray')
})
