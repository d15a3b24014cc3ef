import { join } from 'node:path'
import t from 'tap'
import { cyclesIn, importsAgainst, importsIn, type Order, withoutPlace } from './support/imports.ts'

const ORDER: Order = [
  ['index'],
  ['middleware'],
  ['invocation'],
  ['report', 'sqs', 'testing'],
  ['handlers'],
  ['options'],
  ['sqs-event'],
  ['scheduler'],
  ['errors', 'types'],
  ['shared'],
]

const imports = importsIn(join(import.meta.dirname, '../src'))

t.test('every file of src/ has a place in the order', async (t) => {
  t.ok(imports.get('index.ts')?.includes('middleware.ts'), 'imports are found')
  t.strictSame(withoutPlace(imports, ORDER), [])
})

t.test('src/ imports in one direction', async (t) => {
  t.strictSame(importsAgainst(ORDER, imports), [])
})

t.test('no files of src/ import each other in a cycle', async (t) => {
  t.strictSame(cyclesIn(imports), [])
})
