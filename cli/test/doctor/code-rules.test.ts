import { join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { filesIn } from '../support/files.ts'
import { type Change, findingsInFile, ids, sam } from '../support/templates.ts'
import { findingsInPlan, terraformState } from '../support/terraform.ts'

const LOADS = "const { boundedSqsBatch } = require('middy-bounded-sqs-batch')"
const IMPORTS = "import { boundedSqsBatch } from 'middy-bounded-sqs-batch'"

const REQUIRE_ESM = { NODE_OPTIONS: '--enable-source-maps --experimental-require-module' }

/** A rule that needs the code, with code that breaks it or keeps it. `extension` is that of the file. */
const CASES: readonly [title: string, code: string, extension: string, change: Change, found: string[]][] = [
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
]

type Files = Record<string, string>

async function found(t: Test, template: object, files: Files) {
  const root = filesIn(t, { ...files, 'template.json': JSON.stringify(template) })
  return ids(findingsInFile(join(root, 'template.json')))
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
    const template = sam({ ...change, function: { Handler: 'index.handler', CodeUri: 'src/', ...change.function } })
    t.strictSame(await found(t, template, { [`src/index.${extension}`]: code }), expected, 'SAM')
    const addresses = expected.map((id) => id.replace('Handler', 'aws_lambda_function.handler'))
    t.strictSame(inTerraform(t, { [`src/index.${extension}`]: code }, change), addresses, 'Terraform')
  })
}
