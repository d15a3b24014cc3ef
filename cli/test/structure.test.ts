import { join } from 'node:path'
import { test } from 'tap'
import { cyclesIn, importsAgainst, importsIn, type Order, withoutPlace } from '../../test/support/imports.ts'

const ORDER: Order = [
  ['bin'],
  ['command'],
  ['program', 'cdk', 'engine'],
  ['local/command'],
  ['local/event-source'],
  ['tune'],
  ['run-options'],
  ['doctor'],
  ['local/account'],
  ['local/environment'],
  ['local/queue'],
  ['local/in-function'],
  ['rules', 'deployed', 'template', 'terraform'],
  ['linker'],
  ['model'],
  ['code-search', 'filters'],
  ['shared'],
]

const imports = importsIn(join(import.meta.dirname, '../src'))

test('every file of src/ has a place in the order', async (t) => {
  t.ok(imports.get('template/read-template.ts')?.includes('linker/link.ts'), 'imports are found')
  t.strictSame(withoutPlace(imports, ORDER), [])
})

test('src/ imports in one direction', async (t) => {
  t.strictSame(importsAgainst(ORDER, imports), [])
})

test('no files of src/ import each other in a cycle, also for types only', async (t) => {
  t.strictSame(cyclesIn(imports), [])
})

test('an import against the order, and a cycle, are named', async (t) => {
  const planted = new Map([
    ...imports,
    ['local/queue/queue.ts', ['local/account/ledger.ts']],
    ['tune/prices.ts', ['local/event-source/run.ts']],
    ['model/tree.ts', ['model/setting.ts']],
    ['model/setting.ts', ['model/tree.ts']],
    ['unknown/file.ts', []],
  ])
  t.strictSame(withoutPlace(planted, ORDER), ['unknown/file.ts'])
  t.strictSame(importsAgainst(ORDER, planted).sort(), [
    'local/queue/queue.ts imports local/account/ledger.ts',
    'tune/prices.ts imports local/event-source/run.ts',
  ])
  t.ok(cyclesIn(planted).includes('model/setting.ts → model/tree.ts → model/setting.ts'))
})
