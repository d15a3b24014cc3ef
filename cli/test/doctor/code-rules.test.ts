import { join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { check } from '../../src/doctor/check.ts'
import { readTemplate } from '../../src/template/read-template.ts'
import { CODE_INPUTS } from '../support/code-inputs.ts'
import { filesIn } from '../support/files.ts'
import { type Change, cloudFormation, ids, OPTIONS, sam } from '../support/templates.ts'
import { findingsInPlan, terraformState } from '../support/terraform.ts'

const POWERTOOLS = "import { Metrics } from '@aws-lambda-powertools/metrics'"
const LOADS = "const { boundedSqsBatch } = require('middy-bounded-sqs-batch')"
const IMPORTS = "import { boundedSqsBatch } from 'middy-bounded-sqs-batch'"
const SENDS = `${IMPORTS}\nimport { deadLetter } from 'middy-bounded-sqs-batch/sqs'\nconst onFailure = deadLetter({ queueUrl })`

function logLevel(ApplicationLogLevel: string): Change {
  return { function: { LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel } } }
}
const REQUIRE_ESM = { NODE_OPTIONS: '--enable-source-maps --experimental-require-module' }

/** A rule that needs the code, with code that breaks it or keeps it. `extension` is that of the file. */
const CASES: readonly [title: string, code: string, extension: string, change: Change, found: string[]][] = [
  ['metrics in the log, and the level WARN', POWERTOOLS, 'mjs', logLevel('WARN'), ['metrics-log-level Handler']],
  ['metrics in the log, and the level INFO', POWERTOOLS, 'mjs', logLevel('INFO'), []],
  ['no metrics in the log, and the level ERROR', '', 'mjs', logLevel('ERROR'), []],
  ['a CommonJS file that loads this package', LOADS, 'cjs', {}, ['commonjs-handler Handler']],
  ['a file .js without "type": "module" that loads this package', LOADS, 'js', {}, ['commonjs-handler Handler']],
  ['an ES module that loads this package', IMPORTS, 'mjs', {}, []],
  ['a CommonJS file without this package', "require('./other.js')", 'cjs', {}, []],
  [
    'a CommonJS file that loads this package, with --experimental-require-module',
    LOADS,
    'cjs',
    { function: { Environment: { Variables: REQUIRE_ESM } } },
    [],
  ],
  ['deadLetter() with 511 MB', SENDS, 'mjs', { function: { MemorySize: 511 } }, ['dead-letter-memory Handler']],
  ['deadLetter() with 512 MB', SENDS, 'mjs', { function: { MemorySize: 512 } }, []],
  ['this package without deadLetter(), with 128 MB', IMPORTS, 'mjs', { function: { MemorySize: 128 } }, []],
]

type Files = Record<string, string>

async function found(t: Test, template: object, files: Files) {
  const root = filesIn(t, { ...files, 'template.json': JSON.stringify(template) })
  return ids(check(await readTemplate(join(root, 'template.json'), new Map()), OPTIONS))
}

/** `files` are in the folder above that of the code. */
function inTerraform(t: Test, files: Files, { function: changed = {} }: Change) {
  const root = filesIn(t, files)
  const { Environment, ...others } = changed as { Environment?: { Variables: object } }
  const environment = Environment ? { environment: [{ variables: Environment.Variables }] } : {}
  const state = terraformState({ function: { Handler: 'index.handler', filename: 'orders.zip', ...others } })
  for (const { type, values } of state.values.root_module.resources) {
    if (type === 'aws_lambda_function') Object.assign(values, environment)
  }
  const archive = { output_path: 'orders.zip', source_dir: join(root, 'src') }
  state.values.root_module.resources.push({
    address: 'data.archive_file.code',
    mode: 'data',
    type: 'archive_file',
    name: 'code',
    values: archive,
  } as never)
  return ids(findingsInPlan(state))
}

for (const [title, code, extension, change, expected] of CASES) {
  test(`${title}: ${expected.map((id) => id.split(' ')[0]).join(', ') || 'no finding'}`, async (t) => {
    for (const [input, template, file] of CODE_INPUTS) {
      t.strictSame(await found(t, template(change), { [`${file}.${extension}`]: code }), expected, input)
    }
    const addresses = expected.map((id) => id.replace('Handler', 'aws_lambda_function.handler'))
    t.strictSame(inTerraform(t, { [`src/index.${extension}`]: code }, change), addresses, 'Terraform')
  })
}

test('a file .js in a folder with "type": "module" is an ES module', async (t) => {
  const root = filesIn(t, {
    'src/index.js': LOADS,
    'src/package.json': '{ "type": "module" }',
    'template.json': JSON.stringify(CODE_INPUTS[0]?.[1]({})),
  })
  t.strictSame(ids(check(await readTemplate(join(root, 'template.json'), new Map()), OPTIONS)), [])
})

const TYPED =
  "import middy from '@middy/core'\nimport { boundedSqsBatch, type RecordHandler } from 'middy-bounded-sqs-batch'"
const LOADED = ['commonjs-handler Handler']
const OPEN = ['not-checked Handler']
function tsconfig(compilerOptions: object, more: object = {}) {
  return { 'tsconfig.json': `// comment\n${JSON.stringify({ ...more, compilerOptions })}` }
}
const COMMONJS = tsconfig({ module: 'commonjs' })
const NODE16 = tsconfig({ module: 'Node16' })
const BASE = { 'base.json': '{ "compilerOptions": { "module": "commonjs" } }' }

/** What the compiler makes of an import, as TypeScript 7.0.2 does it. */
const COMPILED: readonly [title: string, extension: string, files: Files, found: string[], code?: string][] = [
  ['module commonjs', 'ts', COMMONJS, LOADED],
  [
    'module commonjs, in a file that tsconfig.json extends',
    'ts',
    { ...BASE, ...tsconfig({}, { extends: './base' }) },
    LOADED,
  ],
  ['module node16 without "type": "module"', 'ts', { ...NODE16, 'package.json': '{}' }, LOADED],
  ['module node16 with "type": "module"', 'ts', { ...NODE16, 'package.json': '{ "type": "module" }' }, []],
  ['module esnext', 'ts', tsconfig({ module: 'esnext' }), []],
  ['no module, for ES5', 'ts', tsconfig({ target: 'es5' }), LOADED],
  ['a .cts file', 'cts', tsconfig({ module: 'esnext' }), LOADED],
  ['a .mts file', 'mts', COMMONJS, []],
  [
    'only imports of types',
    'ts',
    COMMONJS,
    [],
    "import type { RecordHandler } from 'middy-bounded-sqs-batch'\nimport { BatchSummary } from 'middy-bounded-sqs-batch'",
  ],
  ['no tsconfig.json', 'ts', {}, OPEN],
  ['no module', 'ts', tsconfig({ strict: true }), OPEN],
  ['a tsconfig.json that extends a package', 'ts', tsconfig({}, { extends: '@tsconfig/node24' }), OPEN],
  ['noEmit', 'ts', tsconfig({ module: 'commonjs', noEmit: true }), OPEN],
  ['a bundler', 'ts', { ...COMMONJS, 'package.json': '{ "devDependencies": { "esbuild": "1" } }' }, OPEN],
]
for (const [title, extension, more, expected, code = TYPED] of COMPILED) {
  // Otherwise the compiler and doctor would read the package.json above the folder of the tests.
  const files = { 'package.json': '{}', ...more }
  test(`TypeScript, ${title}: ${expected.map((id) => id.split(' ')[0]).join() || 'no finding'}`, async (t) => {
    for (const [input, template, file] of CODE_INPUTS) {
      t.strictSame(await found(t, template({}), { ...files, [`${file}.${extension}`]: code }), expected, input)
    }
    const addresses = expected.map((id) => id.replace('Handler', 'aws_lambda_function.handler'))
    t.strictSame(inTerraform(t, { ...files, [`src/index.${extension}`]: code }, {}), addresses, 'Terraform')
  })
}

test('TypeScript: the finding names the source, and the reason why it is not checked', async (t) => {
  const said = async (files: Files) => {
    const template = JSON.stringify(CODE_INPUTS[0]?.[1]({}))
    const root = filesIn(t, { ...files, 'src/index.ts': TYPED, 'template.json': template })
    return check(await readTemplate(join(root, 'template.json'), new Map()), OPTIONS)[0]?.message
  }
  t.match(
    await said(COMMONJS),
    /src\/index\.ts is compiled to CommonJS, so it loads this package with require\(\)\. Lambda/,
  )
  t.match(
    await said({}),
    /^Not checked: whether the function loads this package with require\(\)\. Reason: .*src\/index\.ts: there is no tsconfig\.json that says what it becomes\.$/,
  )
})

/** What the build of SAM makes of it. With esbuild, it bundles everything that is not external. */
for (const [title, Metadata, expected] of [
  ['with esbuild', { BuildMethod: 'esbuild', BuildProperties: { Format: 'cjs', EntryPoints: ['index.ts'] } }, []],
  [
    'with esbuild, without this package',
    { BuildMethod: 'esbuild', BuildProperties: { External: ['middy-bounded-sqs-batch'] } },
    LOADED,
  ],
  [
    'with esbuild, without this package, as an ES module',
    { BuildMethod: 'esbuild', BuildProperties: { External: ['*'], Format: 'esm' } },
    [],
  ],
  ['with a makefile', { BuildMethod: 'makefile' }, OPEN],
  ['with npm', { BuildMethod: 'nodejs24.x' }, LOADED],
] as const) {
  test(`SAM builds the function ${title}: ${expected.map((id) => id.split(' ')[0]).join() || 'no finding'}`, async (t) => {
    const template = CODE_INPUTS[0]?.[1]({}) as { Resources: Record<string, object> }
    const Handler = { ...template.Resources.Handler, Metadata }
    const built = { ...template, Resources: { ...template.Resources, Handler } }
    t.strictSame(await found(t, built, { ...COMMONJS, 'src/index.ts': TYPED }), expected, 'TypeScript')
    t.strictSame(await found(t, built, { 'src/index.js': LOADS }), expected, 'CommonJS')
  })
}

test('code in the template is CommonJS', async (t) => {
  const change = { function: { Handler: 'index.handler', InlineCode: LOADS, Code: { ZipFile: LOADS } } }
  t.strictSame(await found(t, sam(change), {}), LOADED, 'SAM')
  t.strictSame(await found(t, cloudFormation(change), {}), LOADED, 'CloudFormation')
})
