import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { command, folder, handlerFile } from '../support/runs.ts'

/** Runs a handler that sends dead letters, with these files of the SDK. Returns the variables that the handler sees. */
async function runWithProfile(path: string, config: string) {
  const file = join(path, 'h.mjs')
  writeFileSync(
    file,
    'export const handler = async () => console.log(process.env.AWS_PROFILE, process.env.AWS_ACCESS_KEY_ID)',
  )
  writeFileSync(join(path, 'config'), config)
  const args = ['local', file, '--messages', '1', '--batch-size', '1', '--window', '0', '--idle', '0']
  return command(args, { env: { AWS_PROFILE: 'dev', AWS_CONFIG_FILE: join(path, 'config') } })
}

test('a profile without credentials does not matter, because the queue is in this process', async (t) => {
  const config = '[profile dev]\nregion = eu-west-1\n\n[profile other]\naws_access_key_id = AKIA\n'
  const { code, stderr } = await runWithProfile(folder(t), config)
  t.equal(code, 0, stderr)
  t.match(stderr, /^function \| undefined local$/m)
})

test('an SQS client of the function works with a profile without credentials', async (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'config'), '[profile dev]\nregion = eu-west-1\n')
  const args = ['local', `${handlerFile('dead-letters.ts')}#handler`, '--messages', '10', '--idle', '0', '--json']
  const { stdout, stderr } = await command([...args, '--max-dead-lettered', '10'], {
    env: { AWS_PROFILE: 'dev', AWS_CONFIG_FILE: join(path, 'config') },
  })
  t.match(JSON.parse(stdout || '{}'), { verdict: 'passed', sentDeadLetters: 1 }, stderr)
})

test('a profile with credentials is kept for the other clients of the function', async (t) => {
  const { code, stderr } = await runWithProfile(folder(t), '[profile dev]\ncredential_process = true\n')
  t.equal(code, 0, stderr)
  t.match(stderr, /^function \| dev undefined$/m)
})
