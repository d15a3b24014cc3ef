import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const examples = join(import.meta.dirname, '../../examples')
const unitTest = readFileSync(join(examples, 'unit-test.ts'), 'utf8')
const handler = readFileSync(join(examples, 'http-fanout.ts'), 'utf8')

/** Runs a test file as its own program, as `node unit-test.ts` does. */
async function run(file: string): Promise<{ passes: boolean; output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env, timeout: 300_000 })
    return { passes: true, output: stdout }
  } catch (error) {
    return { passes: false, output: String((error as { stdout?: string }).stdout) }
  }
}

t.test('unit-test.ts passes', async (t) => {
  const { passes, output } = await run(join(examples, 'unit-test.ts'))
  t.ok(passes, 'exits without an error', { output })
  t.match(output, /pass 3\n/)
  t.match(output, /fail 0\n/)
})

const breakages = {
  'ignores the status': [/^.*if \(!response\.ok\).*$/m, ''],
  'posts something else': ['record.body', 'record.messageId'],
  'does not pass the signal on': [', signal })', ' })'],
} as const

for (const [what, [from, to]] of Object.entries(breakages)) {
  t.test(`unit-test.ts fails for a handler that ${what}`, async (t) => {
    const broken = handler.replace(from, to)
    t.not(broken, handler)
    const dir = temporaryFolder(t, { 'unit-test.ts': unitTest, 'http-fanout.ts': broken })
    const { passes, output } = await run(join(dir, 'unit-test.ts'))
    t.notOk(passes, 'exits with an error', { output })
    t.match(output, /tests 3\n/, 'all tests ran, so it fails because of the handler')
  })
}
