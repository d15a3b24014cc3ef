import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { test } from 'tap'
import { openTree } from '../../src/code/tree.ts'
import { filesIn } from '../support/files.ts'

const TEXT = 'é'
const BINARY = new Uint8Array([0, 0xe9, 0x61])
/** Files that are searched, and files that are not. */
const SEARCHED = [
  'app.mjs',
  'src/deep/app.py',
  'src/testing/a.js',
  'my_node_modules/a.js',
  'a.d.tsx',
  'x.git/a.js',
  'contest/a.js',
  'd.ts',
]
const NOT_SEARCHED = [
  'node_modules/a.js',
  'src/node_modules/a.js',
  '.git/config',
  '.aws-sam/build/a.js',
  'cdk.out/a.js',
  '.venv/a.py',
  'pkg/__pycache__/a.pyc',
  'test/a.js',
  'src/tests/a.js',
  'bin/test',
  'types.d.ts',
  'types.d.mts',
  'types.d.cts',
]
const FILES = Object.fromEntries([...SEARCHED, ...NOT_SEARCHED].map((path) => [path, TEXT]))

test('the files of a folder', async (t) => {
  const root = filesIn(t, { ...FILES, 'lib/a.class': BINARY })
  const tree = openTree(root)
  t.strictSame(tree?.paths().toSorted(), [...SEARCHED, 'lib/a.class'].toSorted())
  t.equal(tree?.paths(), tree?.paths(), 'they are listed once')
  for (const path of SEARCHED) t.equal(tree?.read(path), TEXT, path)
  for (const path of [...NOT_SEARCHED, 'src', 'none.js', 'app.mjs/index.js']) t.equal(tree?.read(path), undefined, path)
  t.equal(tree?.read('lib/a.class'), '\u0000éa')
})

test('the files of an archive', async (t) => {
  const entries = Object.entries(FILES).map(([path, text]) => [path, strToU8(text)])
  const zip = zipSync({ ...Object.fromEntries(entries), 'lib/': new Uint8Array(), 'lib/a.class': BINARY })
  const tree = openTree(join(filesIn(t, { 'app.zip': zip }), 'app.zip'))
  t.strictSame(tree?.paths().toSorted(), [...SEARCHED, 'lib/a.class'].toSorted())
  for (const path of SEARCHED) t.equal(tree?.read(path), TEXT, path)
  for (const path of [...NOT_SEARCHED, 'lib/', 'none.js']) t.equal(tree?.read(path), undefined, path)
  t.equal(tree?.read('lib/a.class'), '\u0000éa')
})

test('an archive in which another file is compressed in an unknown way', async (t) => {
  const zip = zipSync({ 'app.mjs': strToU8(TEXT), 'data.bin': new Uint8Array(100) })
  // The entry of the central directory begins with this signature. Its compression is at offset 10.
  const entry = Buffer.from(zip.buffer).lastIndexOf(Buffer.from('PK\u0001\u0002'))
  zip[entry + 10] = 93
  const tree = openTree(join(filesIn(t, { 'app.zip': zip }), 'app.zip'))
  t.strictSame(tree?.paths(), ['app.mjs', 'data.bin'])
  t.equal(tree?.read('app.mjs'), TEXT)
  t.throws(() => tree?.read('data.bin'), /unknown compression type 93/)
})

test('a link to a folder is not followed', async (t) => {
  const root = filesIn(t, { 'src/app.mjs': TEXT })
  symlinkSync(root, join(root, 'src/again'))
  const tree = openTree(root)
  t.strictSame(tree?.paths().toSorted(), ['src/again', 'src/app.mjs'])
  t.equal(tree?.read('src/again'), undefined)
})

test('no more files are listed than a function can have', async (t) => {
  const root = filesIn(t, { 'a.js': '', 'b/a.js': '', 'b/b.js': '', 'c.js': '' })
  const count = (maxFiles?: number) => openTree(root, maxFiles)?.paths().length
  t.strictSame([count(), count(4), count(3), count(2)], [4, 4, 3, 2])
})

test('what is neither a folder nor an archive', async (t) => {
  const root = filesIn(t, { 'app.zip': 'no archive', 'empty.zip': zipSync({}) })
  t.equal(openTree(join(root, 'app.zip')), undefined)
  t.equal(openTree(join(root, 'none')), undefined)
  t.strictSame(openTree(join(root, 'empty.zip'))?.paths(), [])
})
