import { resolve } from 'node:path'
import { test } from 'tap'
import { codeOfFunction } from '../../src/terraform/code-of-function.ts'
import type { Instance, Module } from '../../src/terraform/plan.ts'

function instance(type: string, values: Record<string, unknown>): Instance {
  const of = { address: `${type}.one`, mode: 'managed', type, name: 'one' }
  return { ...of, values, unknown: undefined, module: {} as Module }
}

const VALUES = { handler: 'src/app.v2.handler', runtime: 'nodejs24.x', filename: 'out/app.zip' }
const ARCHIVE = { output_path: 'out/app.zip' }
const ZIP = resolve('out/app.zip')

for (const [title, values, archive, expected] of [
  ['a file', VALUES, undefined, { places: [ZIP], handler: 'src/app.v2.handler', runtime: 'nodejs24.x' }],
  [
    'a file without a handler',
    { filename: 'out/app.zip', runtime: '' },
    undefined,
    { places: [ZIP], handler: undefined, runtime: undefined },
  ],
  [
    'a container image',
    { image_uri: 'x' },
    undefined,
    { folder: process.cwd(), reason: 'the code is in a container image' },
  ],
  [
    'an object in S3',
    { ...VALUES, filename: null, image_uri: '' },
    undefined,
    { folder: process.cwd(), reason: 'the plan or state does not name a local file' },
  ],
  [
    'an archive of a folder',
    VALUES,
    { ...ARCHIVE, source_dir: 'dist' },
    { places: [resolve('dist'), ZIP], handler: 'src/app.v2.handler', runtime: 'nodejs24.x' },
  ],
  [
    'an archive of a file',
    VALUES,
    { ...ARCHIVE, source_file: 'dist/orders.v2.mjs' },
    { places: [resolve('dist'), ZIP], handler: 'orders.v2.handler', runtime: 'nodejs24.x' },
  ],
  [
    'an archive of a file, without a handler',
    { filename: 'out/app.zip' },
    { ...ARCHIVE, source_file: 'dist/orders.mjs' },
    { places: [resolve('dist'), ZIP], handler: undefined, runtime: undefined },
  ],
  [
    'an archive of text',
    VALUES,
    { ...ARCHIVE, source_content: 'exports.handler = 0' },
    { inline: 'exports.handler = 0', handler: 'src/app.v2.handler', runtime: 'nodejs24.x' },
  ],
  [
    'an archive of something else',
    VALUES,
    { ...ARCHIVE, source_dir: '', source_file: null },
    { places: [ZIP], handler: 'src/app.v2.handler', runtime: 'nodejs24.x' },
  ],
  [
    'another archive',
    VALUES,
    { output_path: 'out/other.zip', source_dir: 'dist' },
    { places: [ZIP], handler: 'src/app.v2.handler', runtime: 'nodejs24.x' },
  ],
] as const) {
  test(`where the code of a function is: ${title}`, async (t) => {
    const target = instance('aws_lambda_function', values)
    const other = instance('aws_x', { ...ARCHIVE, source_dir: 'wrong' })
    const data = [other, ...(archive ? [instance('archive_file', archive)] : [])]
    t.strictSame(codeOfFunction(target, data), expected)
  })
}
