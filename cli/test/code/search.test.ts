import { rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'tap'
import { type Code, searchCode } from '../../src/code/source.ts'
import { filesIn } from '../support/files.ts'

const NOTHING = {
  reports: undefined,
  logsMetrics: undefined,
  requiresPackage: undefined,
  mayRequirePackage: undefined,
  usesDeadLetter: undefined,
}
const INLINE = 'the code in the template'
let count = 0
/** Searches code in a template. Its handler is always another one, because each function is searched once. */
function searchInline(inline: string) {
  count += 1
  return searchCode({ inline, handler: `app${count}.handler` })
}
const NAME = 'middy-bounded-sqs-batch'

for (const name of [
  NAME,
  'sqs-partial-batch-failure',
  'event-batch-handler',
  'batchItemFailures',
  'batchItemFailure',
  'batch_item_failures',
  'SQSBatchResponse',
  'sqs_batch_response',
  'processPartialResponse',
  'process_partial_response',
  'partialBatch',
  'partialBatchResponse',
  'partial_batch_response',
  'BatchProcessor',
  'batch_processor',
  'powertools/batch',
  'powertools-lambda/batch',
  'powertools.utilities.batch',
  'lambda-batch-processor',
]) {
  test(`code can report failures with ${name}`, async (t) => {
    const expected = { ...NOTHING, searched: INLINE, reports: `${name} in ${INLINE}` }
    t.strictSame(searchInline(`x = ${name} `), expected)
  })
}

for (const text of [
  '// batchItemFailures',
  '  // batchItemFailures',
  '\t# batchItemFailures',
  '/* batchItemFailures',
  ' * batchItemFailures',
  '-- batchItemFailures',
  'batch-item-failures',
  'batch\nItemFailures',
  'powertools batch, powertools/batches, powertoolsbatch',
  'BatchProcessorBase',
]) {
  test(`code cannot report failures with ${text}`, async (t) => {
    t.strictSame(searchInline(text), { ...NOTHING, searched: INLINE })
  })
}

for (const text of [
  '#[batchItemFailures]',
  'call() // batchItemFailures',
  '// x\nbatchItemFailures',
  '/\nbatchItemFailures',
]) {
  test(`only comments on lines of their own are ignored: ${text}`, async (t) => {
    const expected = { ...NOTHING, searched: INLINE, reports: `batchItemFailures in ${INLINE}` }
    t.strictSame(searchInline(text), expected)
  })
}

for (const name of [
  'CloudWatchMetrics',
  'aws-embedded-metrics',
  'aws_embedded_metrics',
  'powertools/metrics',
  'powertools-lambda/metrics',
  'powertools.utilities.metrics',
  'EmbeddedMetric',
]) {
  test(`code writes metrics to the log with ${name}`, async (t) => {
    const expected = { ...NOTHING, searched: INLINE, logsMetrics: `${name} in ${INLINE}` }
    t.strictSame(searchInline(`x = ${name} `), expected)
  })
}

test('code that uses deadLetter() of this package', async (t) => {
  const usesIn = (inline: string) => {
    const source = searchInline(inline)
    return source.missing === undefined ? source.usesDeadLetter : 'missing'
  }
  for (const call of ['deadLetter()', 'deadLetter (queue)']) {
    t.equal(usesIn(`// ${NAME}\nimport '${NAME}'; ${call}`), `deadLetter in ${INLINE}`)
    t.equal(usesIn(call), undefined, 'of another package')
  }
  for (const text of ['deadLetter', 'deadLetter: x', 'deadLetterQueue()', 'mydeadLetter()']) {
    t.equal(usesIn(`import '${NAME}'; ${text}`), undefined, text)
  }
})

const REQUIRE = `require('${NAME}')`
test('code in a template is CommonJS', async (t) => {
  const reports = `${NAME} in ${INLINE}`
  t.strictSame(searchInline(REQUIRE), { ...NOTHING, searched: INLINE, reports, requiresPackage: INLINE })
})

/** The files that load this package with require(), and may load it. */
function requiringIn(root: string, code: Code = {}) {
  const source = searchCode({ places: [root], handler: 'app.handler', runtime: 'nodejs24.x', ...code }, root)
  if (source.missing !== undefined) return source.missing
  return [source.searched, source.requiresPackage, source.mayRequirePackage]
}
const MODULE = '{"type":"module"}'
for (const [title, files, expected] of [
  ['a .cjs file', { 'app.cjs': REQUIRE, 'package.json': MODULE }, 'app.cjs'],
  ['a .mjs file', { 'app.mjs': REQUIRE }, undefined],
  ['a .js file', { 'app.js': REQUIRE }, 'app.js'],
  ['a .js file of CommonJS', { 'app.js': REQUIRE, 'package.json': '{"type":"commonjs"}' }, 'app.js'],
  ['a .js file of a module', { 'app.js': REQUIRE, 'package.json': MODULE }, undefined],
] as const) {
  test(`${title} that loads this package with require()`, async (t) => {
    const [name] = Object.keys(files)
    t.strictSame(requiringIn(filesIn(t, files)), [name, expected, undefined])
  })
}

test('the nearest package.json says whether a .js file is a module', async (t) => {
  const handler = 'src/deep/app.handler'
  const found = (files: Record<string, string>) =>
    requiringIn(filesIn(t, { 'src/deep/app.js': REQUIRE, ...files }), { handler })
  const [NO, YES] = [undefined, 'src/deep/app.js'].map((file) => ['src/deep/app.js', file, undefined])
  t.strictSame(found({}), YES)
  t.strictSame(found({ 'package.json': MODULE }), NO)
  t.strictSame(found({ 'package.json': MODULE, 'src/package.json': '{}' }), YES)
  t.strictSame(found({ 'src/package.json': MODULE }), NO)
  t.strictSame(found({ 'src/package.json': '{}', 'src/deep/package.json': MODULE }), NO)
})

test('the files that a handler imports', async (t) => {
  const files = {
    'app.cjs': "require('./a.cjs')\nrequire('./b.ts')\nrequire('./a.cjs')",
    'a.cjs': `${REQUIRE}; require('./app.cjs')`,
    'b.ts': `import { eachRecord } from '${NAME}'; new CloudWatchMetrics()`,
  }
  const root = filesIn(t, files)
  const code = { places: [root], handler: 'app.handler', runtime: 'nodejs24.x' }
  const expected = {
    searched: 'app.cjs and 2 files that it imports',
    reports: `${NAME} in a.cjs`,
    logsMetrics: 'CloudWatchMetrics in b.ts',
    requiresPackage: 'a.cjs',
    mayRequirePackage: 'b.ts: there is no tsconfig.json that says what it becomes',
    usesDeadLetter: undefined,
  }
  t.strictSame(searchCode(code, root), expected)
  t.strictSame(searchCode({ ...code, build: 'import' }, root), {
    ...expected,
    requiresPackage: undefined,
    mayRequirePackage: undefined,
  })
  const one = filesIn(t, { 'app.cjs': "require('./a.cjs')", 'a.cjs': '' })
  t.strictSame(requiringIn(one), ['app.cjs and 1 file that it imports', undefined, undefined])
})

test('each function is searched once', async (t) => {
  const root = filesIn(t, { 'app.mjs': 'batchItemFailures' })
  const code = { places: [root], handler: 'app.handler', runtime: 'nodejs24.x' }
  const first = searchCode(code, root)
  rmSync(root, { recursive: true })
  t.equal(searchCode(code, root), first)
  t.notSame(searchCode({ ...code, handler: 'other.handler' }, root), first)
})

test('where the code is', async (t) => {
  const root = filesIn(t, { 'dist/app.mjs': '', 'src/app.ts': '', 'src/other.ts': '' })
  const at = (...names: string[]) => ({ places: names.map((name) => join(root, name)) })
  const found = (code: Code) => requiringIn(root, code)
  t.strictSame(found(at('dist', 'src')), ['dist/app.mjs', undefined, undefined])
  t.strictSame(found(at('none', 'src')), ['src/app.ts', undefined, undefined])
  t.strictSame(found({ ...at('src'), handler: undefined, entries: ['other.ts'] }), [
    'src/other.ts',
    undefined,
    undefined,
  ])
  t.strictSame(found({ ...at('src'), handler: 'x.handler', entries: ['none.ts', 'other.ts'] }), [
    'src/other.ts',
    undefined,
    undefined,
  ])
  t.strictSame(found({ ...at('src'), entries: ['other.ts'] }), ['src/app.ts', undefined, undefined])
  t.equal(found(at('none', 'nowhere')), 'there is no code at none')
  t.equal(found({ ...at('dist', 'src'), handler: 'x.handler' }), 'there is no file of the handler x.handler in dist')
  t.equal(found({ places: [root], handler: 'x.handler' }), 'there is no file of the handler x.handler in .')
  t.equal(found({ ...at('src'), handler: undefined }), 'the input does not say which handler it has')
  t.equal(found({ places: [], handler: `x${count}.handler` }), 'the input does not say where the code is')
  count += 1
  const handler = `app${count}.handler`
  t.strictSame(searchCode({ handler }), { missing: 'the input does not say where the code is' })
  t.strictSame(searchCode({ places: [root] }), { missing: 'the input does not say which handler it has' })
  t.strictSame(searchCode({ places: [root], handler: 'app.handler', reason: 'it is elsewhere' }), {
    missing: 'it is elsewhere',
  })
})

test('a path is relative to the folder in which the command runs', async (t) => {
  const root = filesIn(t, { 'app.mjs': '' })
  t.match(searchCode({ places: [root], handler: 'app.handler' }), {
    searched: relative(process.cwd(), join(root, 'app.mjs')),
  })
})
