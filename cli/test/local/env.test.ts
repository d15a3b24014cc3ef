import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { variablesOf } from '../../src/local/command/env-flags.ts'
import { command, folder } from '../support/runs.ts'
import { sam, templateFile } from '../support/templates.ts'

test('--env overrides --env-file, which overrides the template; the variables of the shell are inherited', async (t) => {
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
  const flags = ['--template', template, '--env-file', join(path, '.env'), '--env', 'FROM_FLAG=a=b']
  const { stdout, stderr } = await command([...args, ...flags], { env: { FROM_SHELL: 'shell', FROM_FLAG: 'shell' } })
  t.match(stderr, /^function \| shell template file a=b$/m)
  t.match(stdout, /environment variables FROM_TEMPLATE, FROM_FILE, FROM_FLAG$/m)
  t.ok(
    stdout.includes(
      `the value of TABLE in ${template} is not known (Dead is known only after deployment), so the variable is not set. Set it with --env TABLE=…\n`,
    ),
  )
  const given = await command([...args, ...flags, '--env', 'TABLE=orders'])
  t.notMatch(given.stdout, 'the value of TABLE')
})

test('a byte order mark at the start of --env-file is not part of a name', async (t) => {
  const file = join(folder(t), '.env')
  writeFileSync(file, '\ufeffA=1\nB=2\n')
  t.strictSame({ ...variablesOf({ envFile: file }) }, { A: '1', B: '2' })
})

test('a value without NAME= and a missing file are refused', async (t) => {
  t.throws(() => variablesOf({ env: ['A'] }), {
    name: 'UsageError',
    message: '--env A has no =: write --env NAME=VALUE',
  })
  t.throws(() => variablesOf({ env: ['=secret'] }), { message: '--env has no name before =: write --env NAME=VALUE' })
  t.throws(() => variablesOf({ envFile: 'nope.env' }), {
    name: 'UsageError',
    message: '--env-file nope.env cannot be read (ENOENT)',
  })
})
