import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type Test, test } from 'tap'
import { importsOf } from '../../src/code-search/imports.ts'
import { filesIn } from '../support/files.ts'

type Files = Readonly<Record<string, string>>

/** A folder with files, in which the package manager has installed the folder `work` under this name. */
function linked(t: Test, files: Files, name: string): string {
  const root = realpathSync(filesIn(t, files))
  const link = join(root, 'node_modules', name)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(join(root, 'work'), link)
  return root
}

const ALIASES = '{ "compilerOptions": { "paths": { "work": ["./lib/work.ts"] } } }'
const SUFFIX = {
  'tsconfig.json': '{ "compilerOptions": { "paths": { "@lib/*-client": ["./gone/*", "./lib/*/client.ts"] } } }',
  'lib/orders/client.ts': '',
  'lib/client.ts': '',
}
/** The files beside `src/app.ts`, the text of this file, and the local files that it imports. */
const IMPORTS: readonly [title: string, files: Files, text: string, found: string[]][] = [
  ...['js', 'mjs', 'cjs', 'ts', 'mts', 'cts', 'jsx', 'tsx'].map((extension): [string, Files, string, string[]] => {
    return [`a file with .${extension}`, { [`src/a.${extension}`]: '' }, "import './a'", [`src/a.${extension}`]]
  }),
  [
    'the source of a compiled file',
    { 'src/a.mts': '', 'src/b.tsx': '' },
    "import './a.mjs'\nimport './b.jsx'",
    ['src/a.mts', 'src/b.tsx'],
  ],
  ['a file in a folder whose name has .js', { 'src/next.js/a.ts': '' }, "import './next.js/a'", ['src/next.js/a.ts']],
  ['a folder', { 'src/a/index.ts': '' }, "import './a'", ['src/a/index.ts']],
  ['the folder above', { 'index.ts': '', 'src/index.ts': '' }, "import '..'", ['index.ts']],
  ['a file that does not exist', {}, "import './a'", []],
  ['an absolute path', {}, "import '/a'", []],
  ['a package whose name has a dot', { 'src/a./b.ts': '' }, "import 'a./b'", []],
  [
    'import() and require() with spaces',
    { 'src/a.ts': '', 'src/b.ts': '' },
    "import ('./a'); require( './b' )",
    ['src/a.ts', 'src/b.ts'],
  ],
  ['an alias', { 'tsconfig.json': ALIASES, 'lib/work.ts': '' }, "import 'work'\nimport 'works'", ['lib/work.ts']],
  ['an alias with a suffix', SUFFIX, "import '@lib/orders-client'", ['lib/orders/client.ts']],
  ['an alias without its suffix', SUFFIX, "import '@lib/orders'", []],
  ['an alias without its prefix', SUFFIX, "import 'abcd/orders-client'", []],
  [
    'an alias in a file with comments and an address',
    { 'tsconfig.json': `{ // don't: "\n"a": "b//c", /* x */ ${ALIASES.slice(1)}`, 'lib/work.ts': '' },
    "import 'work'",
    ['lib/work.ts'],
  ],
  [
    'an alias in a file that is extended',
    { 'tsconfig.json': '{ "extends": "./base.json" }', 'base.json': ALIASES, 'lib/work.ts': '' },
    "import 'work'",
    ['lib/work.ts'],
  ],
  ['a tsconfig.json that extends itself', { 'tsconfig.json': '{ "extends": "./tsconfig.json" }' }, "import 'work'", []],
  [
    'a tsconfig.json that extends a package which is not there',
    { 'tsconfig.json': '{ "extends": "@tsconfig/gone" }', 'lib/work.ts': '' },
    "import 'work'",
    [],
  ],
  ['a tsconfig.json without paths', { 'tsconfig.json': '{ "compilerOptions": {} }' }, "import 'work'", []],
  ['a tsconfig.json that is broken', { 'tsconfig.json': '{' }, "import 'work'", []],
]
for (const [title, manifest, name, found] of [
  ['conditions of exports', '{ "exports": { "types": "./a.d.ts", "import": "./dist/a.js" } }', 'work', 'src/a.ts'],
  ['exports that are a text', '{ "exports": "./dist/a.js", "main": "gone.js" }', 'work', 'src/a.ts'],
  [
    'alternatives in exports',
    '{ "exports": { ".": ["./gone.js", null, { "types": "./a.d.mts", "default": "./a.js" }] } }',
    'work',
    'src/a.ts',
  ],
  ['a path of exports', '{ "exports": { ".": "./index.js", "./x": "./a.ts" } }', 'work/x', 'src/a.ts'],
  ['the entry among other paths', '{ "exports": { "./x": "./a.ts", ".": "./b.js" } }', 'work', 'src/b.ts'],
  ['a path below a folder', '{}', 'work/lib/c', 'src/lib/c.ts'],
  ['a script whose name has .d.ts', '{ "main": "d.d.ts.js" }', 'work', 'src/d.d.ts.js'],
  ['main', '{ "main": "src/a" }', 'work', 'src/a.ts'],
  ['no entry', '{}', 'work', ''],
  ['another path', '{}', 'work/gone', ''],
] as const) {
  test(`the entry of a local package: ${title}`, async (t) => {
    const paths = ['src/a.ts', 'src/b.ts', 'src/lib/c.ts', 'src/d.d.ts.js', 'a.d.ts', 'a.d.mts']
    const scripts = Object.fromEntries(paths.map((path) => [`work/${path}`, '']))
    const files = { 'work/package.json': manifest, ...scripts }
    const root = linked(t, files, 'work')
    t.strictSame(importsOf(join(root, 'app.ts'), `import '${name}'`, new Map()), [join(root, 'work', found)])
  })
}

for (const [title, files, text, found] of IMPORTS) {
  test(`the local files that a file imports: ${title}`, async (t) => {
    const root = filesIn(t, files)
    const imported = importsOf(join(root, 'src/app.ts'), text, new Map())
    t.strictSame(
      imported.map((path) => relative(root, path)),
      found,
    )
  })
}

test('a local package with a scope, which is installed in a folder above', async (t) => {
  const root = linked(t, { 'work/src/x.js': '' }, '@shop/work')
  t.strictSame(importsOf(join(root, 'src/app.ts'), "import '@shop/work/x'\nimport '@shop/gone'", new Map()), [
    join(root, 'work/src/x.js'),
  ])
})

test('the index of a local package', async (t) => {
  const root = linked(t, { 'work/index.ts': '' }, 'work')
  t.strictSame(importsOf(join(root, 'app.ts'), "import 'work'", new Map()), [join(root, 'work/index.ts')])
})

test('this package itself is not searched, also if it is local', async (t) => {
  const root = linked(t, { 'work/index.js': '', 'work/sqs.js': '' }, 'middy-bounded-sqs-batch')
  const text = "import 'middy-bounded-sqs-batch'\nimport 'middy-bounded-sqs-batch/sqs'"
  t.strictSame(importsOf(join(root, 'app.ts'), text, new Map()), [])
  const other = linked(t, { 'work/index.js': '' }, 'my-middy-bounded-sqs-batch')
  t.strictSame(importsOf(join(other, 'app.ts'), "import 'my-middy-bounded-sqs-batch'", new Map()), [
    join(other, 'work/index.js'),
  ])
})

test('a package of a registry is not searched', async (t) => {
  const root = filesIn(t, { 'node_modules/work/index.js': '' })
  t.strictSame(importsOf(join(root, 'app.ts'), "import 'work'\nimport 'node:fs'", new Map()), [])
})
