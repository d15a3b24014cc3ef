import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { test } from 'tap'
import { type Code, searchCode } from '../../src/code/source.ts'
import { filesIn } from '../support/files.ts'

type Files = Readonly<Record<string, string | Uint8Array>>

/** Where the code can report failures: undefined if it cannot, and the reason if it was not found. */
function reportsIn(root: string, code: Code) {
  const source = searchCode({ places: [root], ...code }, root)
  return source.missing === undefined ? source.reports : `missing: ${source.missing}`
}

const RETURNS = 'return { batchItemFailures }'
for (const [title, files, code, expected] of [
  ['nodejs', { 'src/app.mjs': RETURNS }, { handler: 'src/app.handler', runtime: 'nodejs24.x' }, 'src/app.mjs'],
  [
    'nodejs, without a report',
    { 'app.js': 'exports.handler = () => {}' },
    { handler: 'app.handler', runtime: 'nodejs24.x' },
    undefined,
  ],
  ['TypeScript', { 'app.ts': RETURNS }, { handler: 'app.handler', runtime: 'nodejs24.x' }, 'app.ts'],
  [
    'python',
    { 'pkg/app.py': 'return {"batchItemFailures": []}' },
    { handler: 'pkg.app.handler', runtime: 'python3.14' },
    'pkg/app.py',
  ],
  [
    'ruby',
    { 'app.rb': '{ batchItemFailures: failures }' },
    { handler: 'app.Handler.process', runtime: 'ruby3.4' },
    'app.rb',
  ],
  [
    'java',
    { 'src/main/java/com/example/Orders.java': 'public SQSBatchResponse handleRequest(' },
    { handler: 'com.example.Orders::handleRequest', runtime: 'java25' },
    'src/main/java/com/example/Orders.java',
  ],
  [
    'dotnet',
    { 'Orders.cs': 'public class Function { SQSBatchResponse r; }', 'Other.cs': 'class Other {}' },
    { handler: 'Orders::Orders.Function::Handle', runtime: 'dotnet10' },
    'Orders.cs',
  ],
  [
    'go',
    { 'main.go': 'package main\nvar r events.SQSEventResponse // BatchItemFailures:\nvar x = BatchItemFailures' },
    { handler: 'bootstrap', runtime: 'provided.al2023' },
    'main.go',
  ],
  [
    'rust',
    { 'src/main.rs': 'mod report;', 'src/report.rs': 'SqsBatchResponse { batch_item_failures }' },
    { handler: 'bootstrap', runtime: 'provided.al2023' },
    'src/report.rs',
  ],
  [
    'rust, with one binary of another name',
    { 'src/bin/orders.rs': 'batch_item_failures' },
    { handler: 'bootstrap', runtime: 'provided.al2023' },
    'src/bin/orders.rs',
  ],
] as [string, Files, Code, string | undefined][]) {
  test(`the code can report failures: ${title}`, (t) => {
    const reports = reportsIn(filesIn(t, files), code)
    if (expected === undefined) t.equal(reports, undefined)
    else t.match(reports, new RegExp(`^\\w+ in ${expected.replaceAll('.', '\\.')}$`))
    t.end()
  })
}

for (const [title, line] of [
  ['this package', "import { boundedSqsBatch } from 'middy-bounded-sqs-batch'"],
  ['Powertools for TypeScript', "import { processPartialResponse } from '@aws-lambda-powertools/batch'"],
  ['Powertools for Python', 'from aws_lambda_powertools.utilities.batch import BatchProcessor'],
  ['partial_batch_response', 'x = partial_batch_response()'],
  ["Middy's middleware", "require('@middy/sqs-partial-batch-failure')"],
] as const) {
  test(`the code can report failures with ${title}`, (t) => {
    const root = filesIn(t, { 'app.mjs': line, 'app.py': line })
    t.type(reportsIn(root, { handler: 'app.handler', runtime: 'nodejs24.x' }), 'string')
    t.end()
  })
}

test('this package is named first, wherever the other marks are', (t) => {
  const bundle = 'class PartialBatchError {}\nreturn { batchItemFailures }\nconst name = "middy-bounded-sqs-batch"\n'
  const code = { handler: 'app.handler', runtime: 'nodejs24.x' }
  t.equal(reportsIn(filesIn(t, { 'app.mjs': bundle }), code), 'middy-bounded-sqs-batch in app.mjs')
  const others = { 'app.mjs': `import './lib.mjs'\n${RETURNS}`, 'lib.mjs': bundle }
  t.equal(reportsIn(filesIn(t, others), code), 'middy-bounded-sqs-batch in lib.mjs')
  t.end()
})

test('a whole-line comment does not count', (t) => {
  const root = filesIn(t, { 'app.mjs': `// ${RETURNS}\n * batchItemFailures\n`, 'app.py': '# batchItemFailures\n' })
  t.equal(reportsIn(root, { handler: 'app.handler', runtime: 'nodejs24.x' }), undefined)
  t.equal(reportsIn(root, { handler: 'app.handler', runtime: 'python3.14' }), undefined)
  t.end()
})

test('relative imports are searched, but not node_modules, and not declarations of types', (t) => {
  const root = filesIn(t, {
    'app.mjs': "import './lib/a.mjs'\nimport './types.js'\nimport 'other'\n",
    'lib/a.mjs': "export * from '../b.js'",
    'types.d.ts': RETURNS,
    'node_modules/other/index.js': RETURNS,
    'unrelated.mjs': RETURNS,
  })
  const code = { places: [root], handler: 'app.handler', runtime: 'nodejs24.x' }
  t.match(searchCode(code, root), { reports: undefined, searched: 'app.mjs and 1 file that it imports' })
  const more = filesIn(t, {
    'app.mjs': "import './lib/a.mjs'",
    'lib/a.mjs': "const x = await import('../b.js')",
    'b.ts': RETURNS,
  })
  t.equal(reportsIn(more, { ...code, places: [more] }), 'batchItemFailures in b.ts')
  t.end()
})

test('an archive is searched like a folder, also compiled classes', (t) => {
  const zip = zipSync({ 'src/app.mjs': strToU8(RETURNS), 'node_modules/x/index.js': strToU8('x') })
  const jar = zipSync({
    'com/example/Orders.class': new Uint8Array([0xca, 0xfe, 0, ...strToU8('Lcom/SQSBatchResponse;')]),
  })
  const root = filesIn(t, { 'function.zip': zip, 'orders.jar': jar, 'broken.zip': 'no archive' })
  const inArchive = (name: string, handler: string, runtime: string) =>
    reportsIn(root, { places: [join(root, name)], handler, runtime })
  t.equal(inArchive('function.zip', 'src/app.handler', 'nodejs24.x'), 'batchItemFailures in function.zip/src/app.mjs')
  t.equal(
    inArchive('orders.jar', 'com.example.Orders', 'java25'),
    'SQSBatchResponse in orders.jar/com/example/Orders.class',
  )
  t.match(inArchive('broken.zip', 'app.handler', 'nodejs24.x'), /^missing: there is no code at broken\.zip$/)
  t.end()
})

test('code that cannot be found: the reason', (t) => {
  const root = filesIn(t, { 'app.mjs': '' })
  const of = (code: Code) => reportsIn(root, { runtime: 'nodejs24.x', ...code })
  t.equal(of({ handler: 'index.handler' }), 'missing: there is no file of the handler index.handler in .')
  t.equal(of({}), 'missing: the input does not say which handler it has')
  t.equal(of({ places: [] }), 'missing: the input does not say where the code is')
  t.equal(of({ places: [join(root, 'dist')], handler: 'app.handler' }), 'missing: there is no code at dist')
  t.end()
})

test('the entry point of a bundler that has the name of the handler', (t) => {
  const root = filesIn(t, { 'src/app.ts': RETURNS, 'src/other.ts': '' })
  const code = { handler: 'app.handler', runtime: 'nodejs24.x', entries: ['src/other.ts', 'src/app.ts'] }
  t.equal(reportsIn(root, code), 'batchItemFailures in src/app.ts')
  t.equal(reportsIn(root, { ...code, handler: 'other.handler' }), undefined)
  t.end()
})
