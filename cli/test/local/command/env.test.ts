import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { variablesOf } from '../../../src/run-options/env-flags.ts'
import { inProcess } from '../../support/in-process.ts'
import { folder, handlerFile } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

test('--env overrides --env-from, which overrides the template; the variables of the shell are inherited', async (t) => {
  const path = folder(t)
  const handler = join(path, 'h.mjs')
  const names = ['FROM_SHELL', 'FROM_TEMPLATE', 'FROM_FILE', 'FROM_FLAG']
  writeFileSync(handler, `export const handler = () => console.log(${names.map((name) => `process.env.${name}`)})`)
  writeFileSync(join(path, '.env'), 'FROM_FILE=file\nFROM_FLAG=file\n')
  const Environment = {
    Variables: { FROM_TEMPLATE: 'template', FROM_FILE: 'template', FROM_FLAG: 'template', TABLE: { Ref: 'Dead' } },
  }
  const template = templateFile(t, sam({ function: { Environment, Timeout: 5 } }))
  const args = ['local', handler, '--messages', '1', '--idle', '0', '--batch-size', '1', '--window', '0']
  const flags = ['--template', template, '--env-from', join(path, '.env'), '--env', 'FROM_FLAG=a=b']
  const { stdout, stderr } = await inProcess([...args, ...flags], { env: { FROM_SHELL: 'shell', FROM_FLAG: 'shell' } })
  t.match(stderr, /^function \| shell template file a=b$/m)
  t.match(stdout, /environment variables FROM_TEMPLATE, FROM_FILE, FROM_FLAG$/m)
  t.ok(
    stdout.includes(
      `the variable TABLE in ${template}: not known (Dead is known only after deployment), so not set. Use --env TABLE=…\n`,
    ),
  )
  const given = await inProcess([...args, ...flags, '--env', 'TABLE=orders'])
  t.notMatch(given.stdout, 'the variable TABLE')
})

test('a byte order mark at the start of --env-from is not part of a name', async (t) => {
  const file = join(folder(t), '.env')
  writeFileSync(file, '\ufeffA=1\nB=2\n')
  t.strictSame({ ...variablesOf({ envFrom: file }) }, { A: '1', B: '2' })
})

test('a value without NAME= and a missing file are refused', async (t) => {
  t.throws(() => variablesOf({ env: ['A'] }), {
    name: 'UsageError',
    message: '--env A has no =: write --env NAME=VALUE',
  })
  t.throws(() => variablesOf({ env: ['=secret'] }), { message: '--env has no name before =: write --env NAME=VALUE' })
  t.throws(() => variablesOf({ envFrom: 'nope.env' }), {
    name: 'UsageError',
    message: '--env-from nope.env cannot be read (ENOENT)',
  })
})

test('a missing --env-from is one line and exit code 2', async (t) => {
  const args = ['local', handlerFile('settings.mjs'), '--messages', '1', '--env-from', 'nope.env']
  const { code, stdout, stderr } = await inProcess(args)
  t.strictSame(
    { code, stdout, stderr },
    { code: 2, stdout: '', stderr: 'bounded-sqs-batch: --env-from nope.env cannot be read (ENOENT)\n' },
  )
})
