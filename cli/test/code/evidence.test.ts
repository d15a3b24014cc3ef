import { join } from 'node:path'
import { test } from 'tap'
import { manifestAbove } from '../../src/code/commonjs.ts'
import { type Code, searchCode } from '../../src/code/source.ts'
import { filesIn } from '../support/files.ts'

type Files = Readonly<Record<string, string>>
const REPORTS = 'export const work = async () => ({ batchItemFailures: failed })'
const BATCH = '{ "dependencies": { "@aws-lambda-powertools/batch": "2.0.0" } }'
const NODE = { handler: 'app.handler', runtime: 'nodejs24.x' }
const PYTHON = { handler: 'app.handler', runtime: 'python3.14' }

/** The files, what is known of the code, and the evidence that is found. */
const EVIDENCE: readonly [title: string, files: Files, code: Partial<Code>, reports: string | undefined][] = [
  ['the handler reports', { 'src/app.mjs': REPORTS }, NODE, 'batchItemFailures in src/app.mjs'],
  ...['middy-bounded-sqs-batch', '@middy/sqs-partial-batch-failure', '@middy/event-batch-handler'].map(
    (name): [string, Files, Partial<Code>, string] => {
      return [`the library ${name}`, { 'src/app.ts': `import { a } from '${name}'` }, NODE, `${name} in src/app.ts`]
    },
  ),
  [
    'the library of Powertools',
    { 'src/app.ts': "import { a } from '@aws-lambda-powertools/batch'" },
    NODE,
    'powertools/batch in src/app.ts',
  ],
  [
    'a file that the handler imports reports',
    { 'src/app.ts': "import { work } from '../lib/work.js'", 'lib/work.ts': REPORTS },
    NODE,
    'batchItemFailures in lib/work.ts',
  ],
  [
    'a file that the handler re-exports reports',
    { 'src/app.mjs': "export * from './handlers/orders.mjs'", 'src/handlers/orders.mjs': REPORTS },
    NODE,
    'batchItemFailures in src/handlers/orders.mjs',
  ],
  [
    'the code is not there, and the nearest package.json depends on a library',
    { 'package.json': BATCH },
    NODE,
    'package.json depends on @aws-lambda-powertools/batch',
  ],
  [
    'the handler is not there, and the package.json of its folder depends on a library',
    { 'src/package.json': BATCH, 'src/other.mjs': '' },
    NODE,
    'src/package.json depends on @aws-lambda-powertools/batch',
  ],
  [
    'Python in the folder of the function',
    { 'src/app.py': 'import work', 'src/work/__init__.py': 'return {"batchItemFailures": failed}' },
    PYTHON,
    'batchItemFailures in src/work/__init__.py',
  ],
  [
    'Python with the batch class of Powertools in a layer',
    { 'src/app.py': '', 'layer/work.py': 'from aws_lambda_powertools.utilities.batch import BatchProcessor' },
    PYTHON,
    'powertools.utilities.batch in layer/work.py',
  ],
  [
    'Rust',
    { 'src/src/main.rs': 'let batch_item_failures = vec![];' },
    { handler: 'bootstrap', runtime: 'provided.al2023' },
    'batch_item_failures in src/src/main.rs',
  ],
  [
    'the handler is compiled to another folder, and only its source is there',
    { 'src/src/app.ts': REPORTS },
    { ...NODE, handler: 'dist/src/app.handler' },
    'batchItemFailures in src/src/app.ts',
  ],
  [
    'an empty list in one place, and a list of failures in another one',
    {
      'src/app.mjs': "import './b.mjs'\nreturn { batchItemFailures: [] }; x",
      'src/b.mjs': 'batchItemFailures.push(id)',
    },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  [
    'a list that is filled later',
    { 'src/app.mjs': 'const batchItemFailures = []\nreturn { batchItemFailures }' },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  [
    'only empty lists, and a type',
    { 'src/app.ts': 'x: SQSBatchResponse = { batchItemFailures:[] }; y = { "batchItemFailures": [\n] }' },
    NODE,
    undefined,
  ],
  ['only an empty list, in a variable', { 'src/app.mjs': 'const batchItemFailures = []' }, NODE, undefined],
  ['only an empty list, in Python', { 'src/app.py': 'return {"batch_item_failures": []}' }, PYTHON, undefined],
  ...[
    ['SQSBatchResponse', 'Main.java', 'SQSBatchResponse handleRequest(SQSEvent event) {'],
    ['sqs_event_response', 'main.rs', 'use sqs_event_response;'],
    ['BatchItemFailures', 'main.go', 'events.SQSEventResponse{BatchItemFailures: failures}'],
    ['batch_item_failures', 'main.rs', '#[serde(rename = "batch_item_failures")]'],
  ].map(([name, file, text]): [string, Files, Partial<Code>, string] => {
    return [`only ${text}`, { [`src/${file}`]: String(text) }, PYTHON, `${name} in src/${file}`]
  }),
  [
    'the name of the handler has a dot',
    { 'src/app.v2.mjs': REPORTS },
    { ...NODE, handler: 'app.v2.handler' },
    'batchItemFailures in src/app.v2.mjs',
  ],
  ...['my-middy-bounded-sqs-batch', 'middy-bounded-sqs-batch-x', '@middy/event-batch-handler'].map(
    (name): [string, Files, Partial<Code>, string | undefined] => {
      const reports = name.startsWith('@') ? `package.json depends on ${name}` : undefined
      return [
        `no code, and ${name} in package.json`,
        { 'package.json': `{ "devDependencies": { "${name}": "1" } }` },
        NODE,
        reports,
      ]
    },
  ),
  [
    'no code of a function in Go, and a library in package.json',
    { 'package.json': BATCH },
    { ...NODE, runtime: 'provided.al2023' },
    undefined,
  ],
  ['a handler that throws', { 'src/app.mjs': 'throw 1', 'package.json': BATCH }, NODE, undefined],
  ['only comments', { 'src/app.mjs': '// batchItemFailures\n  * batchItemFailures' }, NODE, undefined],
  ['only a comment, in Python', { 'src/app.py': '# batchItemFailures' }, PYTHON, undefined],
  ...[
    'tests/app.py',
    'test_app.py',
    'app_test.go',
    'app.spec.ts',
    'vendor/aws/events/sqs.go',
    'venv/lib/a.py',
    'env/lib/a.py',
    'python/lib/site-packages/a.py',
    'dist-packages/a.py',
    'aws_lambda_powertools/utilities/batch/base.py',
  ].map((file): [string, Files, Partial<Code>, undefined] => {
    return [`only in ${file}`, { 'src/app.py': '', [`src/${file}`]: 'batchItemFailures' }, PYTHON, undefined]
  }),
  ...['tests.py', 'atest_app.py', 'app_tests.go', 'vendors/a.go', 'environment/a.py'].map(
    (file): [string, Files, Partial<Code>, string] => {
      return [`in ${file}`, { [`src/${file}`]: 'batchItemFailures' }, PYTHON, `batchItemFailures in src/${file}`]
    },
  ),
  ...['"reportBatchItemFailures": true', 'report_batch_item_failures=True', 'BatchItemFailure(id)'].map(
    (text): [string, Files, Partial<Code>, undefined] => {
      return [`only ${JSON.stringify(text)}, in Python`, { 'src/app.py': text }, PYTHON, undefined]
    },
  ),
  ...[
    'f(): Promise<SQSBatchResponse | void>',
    '/* a\nbatchItemFailures */ x()',
    'x({ BatchItemFailure: event })',
    'x = new CfnEventSourceMapping({ reportBatchItemFailures: true })',
  ].map((text): [string, Files, Partial<Code>, undefined] => {
    return [`only ${JSON.stringify(text)}`, { 'src/app.ts': text }, NODE, undefined]
  }),
  ...[
    "glob('a/*'); batchItemFailures; glob('b */')",
    "fetch('https://a.b'); batchItemFailures",
    "'#batchItemFailures'",
  ].map((text): [string, Files, Partial<Code>, string] => {
    return [`after what is no comment: ${text}`, { 'src/app.ts': text }, NODE, 'batchItemFailures in src/app.ts']
  }),
  [
    'a million lines that begin a comment without an end',
    { 'src/app.mjs': `${'/*\n'.repeat(1_000_000)}batchItemFailures` },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  [
    'a minified line with what looks like a comment',
    { 'src/app.mjs': `x(' // '); batchItemFailures;${'y();'.repeat(50)}` },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  [
    'the module of Powertools, imported by its name',
    { 'src/app.py': 'from aws_lambda_powertools.utilities import parser, batch' },
    PYTHON,
    'powertools.utilities import parser, batch in src/app.py',
  ],
  [
    'after and before texts in three quotes',
    {
      'src/app.py': 'run("""\nselect\n""")\nreturn {"batchItemFailures": failures}\ndef b():\n  """says"""\n',
    },
    PYTHON,
    'batchItemFailures in src/app.py',
  ],
  [
    'after a text with two slashes',
    { 'src/app.mjs': "log('start // end'); return { batchItemFailures }" },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  [
    'a function that reports',
    { 'src/app.mjs': 'return reportBatchItemFailures(ids)' },
    NODE,
    'reportBatchItemFailures in src/app.mjs',
  ],
  [
    'a function that reports, with a space',
    { 'src/app.mjs': 'return reportBatchItemFailures (ids)' },
    NODE,
    'reportBatchItemFailures in src/app.mjs',
  ],
  ...['(true)', '( true)'].map((argument): [string, Files, Partial<Code>, undefined] => {
    return [
      `the setting in Java: ${argument}`,
      { 'src/A.java': `p().reportBatchItemFailures${argument}` },
      PYTHON,
      undefined,
    ]
  }),
  [
    'a handler with the name of a test',
    { 'src/load_test.py': 'batchItemFailures' },
    { ...PYTHON, handler: 'load_test.handler' },
    'batchItemFailures in src/load_test.py',
  ],
  [
    'a folder with the name of a test',
    { 'src/test_orders/app.py': 'batchItemFailures' },
    PYTHON,
    'batchItemFailures in src/test_orders/app.py',
  ],
  [
    'Python in a folder with the name of a script',
    { 'src/next.js/a.py': 'SQSBatchResponse' },
    PYTHON,
    'SQSBatchResponse in src/next.js/a.py',
  ],
  [
    'several files: the one of the handler comes first',
    { 'src/a.py': 'batchItemFailures', 'src/app.py': 'batch_item_failures', 'src/b/app/c.py': 'batchItemFailures' },
    PYTHON,
    'batch_item_failures in src/app.py',
  ],
  [
    'several files: the one of a class comes first',
    { 'src/A.java': 'SQSBatchResponse', 'src/Orders.java': 'batchItemFailures' },
    { handler: 'com.shop.Orders::handle', runtime: 'java21' },
    'batchItemFailures in src/Orders.java',
  ],
  ['no code, and another package.json', { 'package.json': '{ "dependencies": { "p-map": "7" } }' }, NODE, undefined],
]
for (const [title, files, code, reports] of EVIDENCE) {
  test(`the evidence that a function reports failures: ${title}`, (t) => {
    const root = filesIn(t, { 'package.json': '{}', ...files })
    const source = searchCode({ places: [join(root, 'src')], layers: [join(root, 'layer')], ...code }, root)
    t.equal(source.reports, reports)
    t.end()
  })
}

test('what was searched, or why nothing was', (t) => {
  const root = filesIn(t, {
    'package.json': '{}',
    'src/app.mjs': "import './b.mjs'",
    'src/b.mjs': '',
    'src/index.mjs': "import './app.mjs'",
  })
  const places = [join(root, 'src')]
  const searched = (code: Code) => {
    const { searched, missing } = searchCode({ folder: root, ...code }, root)
    return searched ?? missing
  }
  t.equal(searched({ ...NODE, places }), 'src/app.mjs and 1 other file')
  t.equal(searched({ ...NODE, handler: 'b.handler', places }), 'src/b.mjs')
  t.equal(searched({ handler: 'b.handler', places }), 'src/b.mjs')
  t.equal(searched({ ...PYTHON, handler: 'b.handler', places }), 'src/b.mjs and 2 other files')
  t.equal(searched({ handler: 'c.handler', places }), 'src/app.mjs and 2 other files')
  t.equal(searched({ runtime: 'nodejs24.x', places }), 'no source of the handler undefined was found in src')
  t.equal(searched({ ...NODE, places: [root] }), 'no source of the handler app.handler was found in this folder')
  t.equal(searched({ ...NODE, handler: 'x.handler', entries: ['b.ts', 'b.mjs'], places }), 'src/b.mjs')
  t.equal(searched({ ...NODE, handler: 'c.handler', places }), 'no source of the handler c.handler was found in src')
  t.equal(searched({ ...NODE, places: [join(root, 'gone')] }), 'there is no code at gone')
  t.equal(searched({ ...NODE, handler: 'c.handler', places, reason: 'it is elsewhere' }), 'it is elsewhere')
  t.equal(searched({}), 'the input does not say where the code is')
  t.equal(searched({ inline: 'throw 1' }), 'the code in the template')
  t.end()
})

const NAME = 'middy-bounded-sqs-batch'
test('the functions of this package that need permissions of their own', (t) => {
  const calls = (inline: string) => searchCode({ inline }).calls
  t.strictSame(calls(`import '${NAME}'; retryBackoff (x); deadLetter()`), ['deadLetter', 'retryBackoff'])
  t.strictSame(calls(`import '${NAME}'; isolateCrashes({})`), ['isolateCrashes'])
  t.strictSame(calls('deadLetter()'), [], 'of another package')
  t.equal(searchCode({ inline: `require ( '${NAME}' )` }).requiresPackage, 'the code in the template')
  for (const text of ['deadLetter', 'deadLetter: x', 'deadLetterQueue()', 'mydeadLetter()']) {
    t.strictSame(calls(`import '${NAME}'; ${text}`), [], text)
  }
  t.end()
})

for (const [file, more, expected] of [
  ['app.cjs', {}, true],
  ['app.js', {}, true],
  ['app.js', { 'src/package.json': '{' }, true],
  ['app.js', { 'src/package.json': '{ "type": "module" }' }, false],
  ['app.js', { 'package.json': '{ "type": "module" }' }, true], // Lambda does not have this package.json
  ['app.mjs', {}, false],
  ['app.ts', {}, false],
] as const) {
  test(`${file} with require() of this package, and ${JSON.stringify(more)}: ${expected}`, (t) => {
    const root = filesIn(t, { ...more, [`src/${file}`]: `a\nrequire('${NAME}/sqs')` })
    const source = searchCode({ ...NODE, places: [join(root, 'src')] }, root)
    t.equal(source.requiresPackage, expected ? `src/${file}` : undefined)
    t.end()
  })
}

const BACKOFF = { base: 30, factor: 2, max: 900, jitter: 'equal' }
const NO_LITERALS = { reason: 'the options of retryBackoff() are not literals' }
for (const [code, expected] of [
  ['throw 1', undefined],
  ['function  retryBackoff(options) {}', undefined],
  ['retryBackoff({ client })', BACKOFF],
  ['function retryBackoff(options) { log(`retryBackoff(): delay() failed`) }\nretryBackoff({ client })', BACKOFF],
  [
    "retryBackoff ({ base: 1_0, factor:1.25, max : 50, jitter: 'none' })",
    { base: 10, factor: 1.25, max: 50, jitter: 'none' },
  ],
  ['retryBackoff( { client: new SQS({ region: \'x\' }), jitter: "full" })', { ...BACKOFF, jitter: 'full' }],
  ['retryBackoff({ factor:3 })', { ...BACKOFF, factor: 3 }],
  ['retryBackoff({\n  // factor: 4\n  factor: 3\n})', { ...BACKOFF, factor: 3 }],
  ['retryBackoff(\n/* times */ { factor: 3 })', { ...BACKOFF, factor: 3 }],
  ['retryBackoff({ base })', { reason: 'base of retryBackoff() is not a literal' }],
  ...['LIMIT', 'x1', '1x', '1.x'].map(
    (max) => [`retryBackoff({ base: 1, max: ${max} })`, { reason: 'max of retryBackoff() is not a literal' }] as const,
  ),
  ...["'equal' as Jitter", "quiet ? 'none' : 'full'", '`none`'].map(
    (jitter) =>
      [`retryBackoff({ jitter: ${jitter} })`, { reason: 'jitter of retryBackoff() is not a literal' }] as const,
  ),
  ['retryBackoff({ client, ...more })', NO_LITERALS],
  ['retryBackoff(options, { base: 1 })', NO_LITERALS],
  ['retryBackoff({ client }); retryBackoff({ base: 1 })', { reason: 'the code calls retryBackoff() more than once' }],
  [`a()\n${'b();'.repeat(250)}`, { reason: 'the code is minified' }],
  [`a()\n${'b();'.repeat(249)}`, undefined],
] as const) {
  test(`the delays of ${code.slice(0, 99)}`, async (t) => {
    t.strictSame(searchCode({ inline: code }).backoff, expected)
  })
}

test('a long line in another language is not minified code', async (t) => {
  const root = filesIn(t, { 'app.py': 'b();'.repeat(250) })
  t.equal(searchCode({ ...PYTHON, places: [root] }).backoff, undefined)
})

test('the delays of several files: one of them is minified', async (t) => {
  const root = filesIn(t, { 'app.mjs': "import './b.mjs'", 'b.mjs': 'b();'.repeat(250) })
  t.strictSame(searchCode({ ...NODE, places: [root] }).backoff, { reason: 'the code is minified' })
})

for (const [title, path, manifests, isFound] of [
  ['an ES module', 'src/lib/app.js', { 'package.json': '{ "type": "module" }' }, true],
  ['a CommonJS module', 'src/app.js', { 'package.json': '{ "type": "commonjs" }' }, false],
  ['a file whose name says its type', 'src/app.mjs', { 'package.json': '{ "type": "module" }' }, false],
  ['no package.json', 'src/app.js', {}, false],
  ['a file elsewhere', 'app.js', { 'package.json': '{ "type": "module" }' }, false],
  [
    'a package.json in the folder',
    'src/app.js',
    { 'package.json': '{ "type": "module" }', 'src/package.json': '{}' },
    false,
  ],
] as const) {
  test(`the package.json above a folder that makes a file an ES module: ${title}`, async (t) => {
    const root = filesIn(t, manifests)
    const manifest = isFound ? join(root, 'package.json') : undefined
    t.equal(manifestAbove(join(root, 'src'), join(root, path)), manifest)
  })
}
