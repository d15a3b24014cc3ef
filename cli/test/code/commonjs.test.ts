import { join } from 'node:path'
import { test } from 'tap'
import { requiresPackage } from '../../src/code/commonjs.ts'
import { MODULE_TYPE } from '../../src/code/manifest.ts'
import { filesIn } from '../support/files.ts'

const NAME = 'middy-bounded-sqs-batch'
const REQUIRE = `const { eachRecord } = require('${NAME}')`
const IMPORT = `import { eachRecord } from '${NAME}'`

for (const [title, text, isCommonJs, expected] of [
  ['require()', REQUIRE, true, true],
  ['require() of another entry', `require ( "${NAME}/sqs" )`, true, true],
  ['require() in a module', REQUIRE, false, false],
  ['require() of another package', `require('${NAME}-x'); require('x-${NAME}')`, true, false],
  ['require() of a variable with this name', `myrequire('${NAME}')`, true, false],
  ['an import', IMPORT, true, false],
  ['nothing', '', true, false],
] as const) {
  test(`JavaScript with ${title}`, async (t) => {
    for (const path of ['/app.js', '/app.ts.js', undefined]) {
      t.equal(requiresPackage({ text, isCommonJs, ...(path ? { path } : {}) }, undefined), expected, String(path))
    }
  })
}

for (const [title, text, expected] of [
  ['a function', IMPORT, true],
  ['all names', `import * as sqs from '${NAME}/sqs'`, true],
  ['the default', `import sqs, { type A } from "${NAME}"`, true],
  ['nothing, for its effects', `import '${NAME}'`, true],
  ['names that are exported again', `export { eachRecord } from '${NAME}'; export * from '${NAME}'`, true],
  ['a function beside a type', `import { type A, eachRecord } from '${NAME}'`, true],
  ['a function with another name', `import {\n  eachRecord as each,\n} from '${NAME}'`, true],
  ['a function, without spaces', `import{eachRecord}from'${NAME}'`, true],
  ['a function and a type, without spaces', `import{type A,eachRecord}from'${NAME}'`, true],
  ['a name that is type', `import type from '${NAME}'`, true],
  ['a function, after a local type', `export type { A }\nimport { eachRecord } from '${NAME}'`, true],
  ['a type', `import type { BatchOptions } from '${NAME}'`, false],
  ['a type, as the default', `import type Options from '${NAME}'`, false],
  ['all types', `  import   type  * as types from '${NAME}'`, false],
  ['a type among names', `import { type BatchOptions, type  other  as  another } from '${NAME}'`, false],
  ['a class, which may be a type', `import { BatchOptions } from '${NAME}'`, false],
  ['no names', `import {} from '${NAME}'`, false],
  ['another package', `import { each } from '${NAME}-x'`, false],
  ['a call', REQUIRE, true],
] as const) {
  test(`TypeScript that imports ${title}`, async (t) => {
    const file = { text, path: '/app.ts', isCommonJs: false }
    t.equal(requiresPackage(file, 'require'), expected)
    t.equal(requiresPackage(file, 'import'), false)
    t.strictSame(requiresPackage(file, { reason: 'x' }), expected && { reason: 'x' })
  })
}

const UNKNOWN = { reason: 'tsconfig.json does not say what it becomes' }
const NO_MODULE = { reason: 'tsconfig.json does not set "module"' }
const CONFIG = 'tsconfig.json'
function options(compilerOptions: object, more: object = {}) {
  return JSON.stringify({ compilerOptions, ...more })
}
/** A chain of files, of which the last one sets the options. */
function chain(length: number) {
  const names = Array.from({ length }, (_, index) => (index === 0 ? CONFIG : `c${index}.json`))
  return Object.fromEntries(
    names.map((name, index) => [
      name,
      index === length - 1 ? options({ module: 'commonjs' }) : JSON.stringify({ extends: `./${names[index + 1]}` }),
    ]),
  )
}

for (const [title, files, path, expected] of [
  ['CommonJS', { [CONFIG]: options({ module: 'CommonJS' }) }, 'app.ts', true],
  ['CommonJS, for tsx', { [CONFIG]: options({ module: 'CommonJS' }) }, 'app.tsx', true],
  ['CommonJS in a folder above', { [CONFIG]: options({ module: 'commonjs' }) }, 'src/app/app.ts', true],
  [
    'a nearer file',
    { [CONFIG]: options({ module: 'commonjs' }), 'src/tsconfig.json': options({ module: 'es2022' }) },
    'src/app.ts',
    false,
  ],
  ['ES modules', { [CONFIG]: options({ module: 'esnext' }) }, 'app.ts', false],
  ['preserve', { [CONFIG]: options({ module: 'preserve' }) }, 'app.cts', false],
  ['ES modules, for .cts', { [CONFIG]: options({ module: 'esnext' }) }, 'app.cts', true],
  ['CommonJS, for .mts', { [CONFIG]: options({ module: 'commonjs' }) }, 'app.mts', false],
  ['CommonJS, for a name that contains .mts', { [CONFIG]: options({ module: 'commonjs' }) }, 'app.mts.ts', true],
  ['the type of the package', { [CONFIG]: options({ module: 'NodeNext' }) }, 'app.ts', true],
  ['the type of the package', { [CONFIG]: options({ module: 'node16' }), 'package.json': '{}' }, 'app.ts', true],
  [
    'the type of the package',
    { [CONFIG]: options({ module: 'node16' }), 'package.json': '{ "type" : "module" }' },
    'app.ts',
    false,
  ],
  ['an old target', { [CONFIG]: options({ target: 'ES5' }) }, 'app.ts', true],
  ['an old target', { [CONFIG]: options({ target: 'es3' }) }, 'app.ts', true],
  ['an old target, and ES modules', { [CONFIG]: options({ target: 'es5', module: 'es6' }) }, 'app.ts', false],
  ['a new target', { [CONFIG]: options({ target: 'es2022' }) }, 'app.ts', NO_MODULE],
  ['no options', { [CONFIG]: '{}' }, 'app.ts', NO_MODULE],
  ['options that are a list', { [CONFIG]: '{ "compilerOptions": ["x"] }' }, 'app.ts', NO_MODULE],
  ['no output', { [CONFIG]: options({ module: 'commonjs', noEmit: true }) }, 'app.ts', UNKNOWN],
  ['noEmit that is false', { [CONFIG]: options({ module: 'commonjs', noEmit: false }) }, 'app.ts', true],
  ['text that is not JSON', { [CONFIG]: 'x' }, 'app.ts', UNKNOWN],
  [
    'comments, and a comma at the end',
    { [CONFIG]: '// x\n{ "compilerOptions": { "module": "commonjs", }, }' },
    'app.ts',
    true,
  ],
  [
    'nothing, because there is no tsconfig.json',
    {},
    'app.ts',
    { reason: 'there is no tsconfig.json that says what it becomes' },
  ],
  ['a base', { [CONFIG]: '{"extends":"./base.json"}', 'base.json': options({ module: 'commonjs' }) }, 'app.ts', true],
  [
    'a base without its extension',
    { [CONFIG]: '{"extends":"./base"}', 'base.json': options({ module: 'commonjs' }) },
    'app.ts',
    true,
  ],
  [
    'a base that the file changes',
    {
      [CONFIG]: options({ module: 'es6' }, { extends: ['./base.json'] }),
      'base.json': options({ module: 'commonjs' }),
    },
    'app.ts',
    false,
  ],
  [
    'the last of two bases',
    {
      [CONFIG]: '{"extends":["./a.json","./b.json"]}',
      'a.json': options({ module: 'es6', target: 'es5' }),
      'b.json': options({ module: 'commonjs' }),
    },
    'app.ts',
    true,
  ],
  [
    'one of two bases, of which the other one cannot be read',
    { [CONFIG]: '{"extends":["./a.json","./none.json"]}', 'a.json': options({ module: 'commonjs' }) },
    'app.ts',
    UNKNOWN,
  ],
  [
    'its own options, and a base that cannot be read',
    { [CONFIG]: options({ module: 'commonjs' }, { extends: './none' }) },
    'app.ts',
    true,
  ],
  [
    'a base in a package',
    { [CONFIG]: '{"extends":"@tsconfig/node22"}', '@tsconfig/node22.json': options({ module: 'es6' }) },
    'app.ts',
    UNKNOWN,
  ],
  ['ten bases', chain(11), 'app.ts', true],
  ['eleven bases', chain(12), 'app.ts', UNKNOWN],
  ['itself as its base', { [CONFIG]: '{"extends":"./tsconfig.json"}' }, 'app.ts', UNKNOWN],
  [
    'a bundler',
    { [CONFIG]: options({ module: 'commonjs' }), 'package.json': '{ "devDependencies": { "esbuild": "1" } }' },
    'app.ts',
    { reason: 'package.json names esbuild, which may bundle the code' },
  ],
] as [string, Record<string, string>, string, unknown][]) {
  test(`what TypeScript makes of ${path} with ${title}: ${JSON.stringify(expected)}`, async (t) => {
    const root = filesIn(t, { 'package.json': '{}', ...files })
    t.strictSame(requiresPackage({ text: IMPORT, path: join(root, path), isCommonJs: false }, undefined), expected)
  })
}

test('TypeScript without a package.json', async (t) => {
  const root = filesIn(t, { [CONFIG]: options({ module: 'nodenext' }) })
  t.equal(requiresPackage({ text: IMPORT, path: join(root, 'app.ts'), isCommonJs: true }, undefined), true)
})

test('whether a package.json says that its files are modules', async (t) => {
  for (const text of ['{"type":"module"}', '{ "type"  :  "module" }']) t.equal(MODULE_TYPE.test(text), true)
  for (const text of ['{"type":"commonjs"}', '{"type":x"module"}', '{"type"x:"module"}'])
    t.equal(MODULE_TYPE.test(text), false)
})
