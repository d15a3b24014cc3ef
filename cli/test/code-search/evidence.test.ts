import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { type Test, test } from 'tap'
import { type Code, codeSearch } from '../../src/code-search/search.ts'
import { filesIn } from '../support/files.ts'

type Files = Readonly<Record<string, string>>
const REPORTS = 'export const work = async () => ({ batchItemFailures: failed })'
const BATCH = '{ "dependencies": { "@aws-lambda-powertools/batch": "2.0.0" } }'
const NODE = { handler: 'app.handler', runtime: 'nodejs24.x' }
const PYTHON = { handler: 'app.handler', runtime: 'python3.14' }

/** The files, what is known of the code, and the evidence that is found. */
const EVIDENCE: readonly [title: string, files: Files, code: Partial<Code>, reports: string | undefined][] = [
  ['the handler reports', { 'src/app.mjs': REPORTS }, NODE, 'batchItemFailures in src/app.mjs'],
  ...[
    'middy-bounded-sqs-batch',
    '@middy/sqs-partial-batch-failure',
    '@middy/event-batch-handler',
    '@aws-lambda-powertools/batch',
  ].map((name): [string, Files, Partial<Code>, string] => {
    return [`the library ${name}`, { 'src/app.ts': `import { a } from '${name}'` }, NODE, `${name} in src/app.ts`]
  }),
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
    'a comment between two words',
    { 'src/app.mjs': 'return report/* the list */batchItemFailures' },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  ['a text after an import', { 'src/app.mjs': "import a; log('batchItemFailures')" }, NODE, undefined],
  [
    'a key with a space after it',
    { 'src/app.mjs': "return { 'batchItemFailures' : failed }" },
    NODE,
    'batchItemFailures in src/app.mjs',
  ],
  ['the code is not there, and package.json names a library', { 'package.json': BATCH }, NODE, undefined],
  ['Python', { 'src/app.py': 'return {"batchItemFailures": failed}' }, PYTHON, undefined],
  ['a script of a function in Python', { 'src/app.mjs': REPORTS }, PYTHON, undefined],
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
  [
    'the name of the handler has a dot',
    { 'src/app.v2.mjs': REPORTS },
    { ...NODE, handler: 'app.v2.handler' },
    'batchItemFailures in src/app.v2.mjs',
  ],
  ['a handler that throws', { 'src/app.mjs': 'throw 1', 'package.json': BATCH }, NODE, undefined],
  ...[
    '// batchItemFailures\n /* batchItemFailures\n batchItemFailures */',
    'x() // batchItemFailures',
    'x() /* batchItemFailures */; y()',
    "log('batchItemFailures')",
    'log("a \\" batchItemFailures")',
    'log(`a\nbatchItemFailures`)',
    "log('middy-bounded-sqs-batch')",
    "// import 'middy-bounded-sqs-batch'",
    'x = /batchItemFailures/',
    'f(): Promise<SQSBatchResponse | void>',
    'x({ BatchItemFailure: event })',
    'x = new CfnEventSourceMapping({ reportBatchItemFailures: true })',
  ].map((text): [string, Files, Partial<Code>, undefined] => {
    return [`only ${JSON.stringify(text)}`, { 'src/app.ts': text }, NODE, undefined]
  }),
  ...[
    "glob('a/*'); batchItemFailures; glob('b */')",
    "fetch('https://a.b'); batchItemFailures",
    'x = /[\'"`]/; batchItemFailures',
    'x = /[/"]/.test(y); batchItemFailures',
    'x = a / b; batchItemFailures; y = c / d',
    "It's; batchItemFailures",
    '#report(failed) { return { batchItemFailures: failed } }',
    'return { "batchItemFailures": failed }',
    "response['batchItemFailures'] = failed",
    `x(' // '); batchItemFailures;${'y();'.repeat(50)}`,
  ].map((text): [string, Files, Partial<Code>, string] => {
    return [`code beside texts: ${text.slice(0, 60)}`, { 'src/app.ts': text }, NODE, 'batchItemFailures in src/app.ts']
  }),
  ...[
    `${'/*\n'.repeat(1_000_000)}batchItemFailures`,
    `"${'\\"'.repeat(500_000)}\nbatchItemFailures // `,
    `'${"\\'".repeat(500_000)}\n\`${'\\`'.repeat(500_000)}`,
  ].map((text, index): [string, Files, Partial<Code>, string | undefined] => {
    const found = index === 1 ? 'batchItemFailures in src/app.mjs' : undefined
    return [`a million characters that end no comment or text, ${index}`, { 'src/app.mjs': text }, NODE, found]
  }),
  ...['reportBatchItemFailures(ids)', 'reportBatchItemFailures (ids)'].map(
    (call): [string, Files, Partial<Code>, string] => {
      return [
        `a function that reports: ${call}`,
        { 'src/app.mjs': call },
        NODE,
        'reportBatchItemFailures in src/app.mjs',
      ]
    },
  ),
]
for (const [title, files, code, reports] of EVIDENCE) {
  test(`the evidence that a function reports failures: ${title}`, (t) => {
    const root = filesIn(t, { 'package.json': '{}', ...files })
    const source = codeSearch(root)({ places: [join(root, 'src')], ...code })
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
    const { searched, missing } = codeSearch(root)({ folder: root, ...code })
    return searched ?? missing
  }
  t.equal(searched({ ...NODE, places }), 'src/app.mjs and 1 other file')
  t.equal(searched({ ...NODE, handler: 'b.handler', places }), 'src/b.mjs')
  t.equal(searched({ handler: 'b.handler', places }), 'src/b.mjs')
  t.equal(searched({ places }), 'its handler is not known')
  t.equal(searched({ handler: 'c.handler', places }), 'no source of the handler c.handler was found in src')
  const python = 'the runtime is python3.14, and only JavaScript and TypeScript are searched'
  t.equal(searched({ ...PYTHON, places }), python)
  t.equal(
    searched({ ...NODE, handler: 'x.handler', places: [root] }),
    'no source of the handler x.handler was found in this folder',
  )
  t.equal(searched({ ...NODE, handler: 'x.handler', entries: ['b.ts', 'b.mjs'], places }), 'src/b.mjs')
  t.equal(searched({ ...NODE, handler: 'c.handler', places }), 'no source of the handler c.handler was found in src')
  t.equal(searched({ ...NODE, places: [join(root, 'gone')] }), 'there is no code at gone')
  t.equal(searched({ ...NODE, handler: 'c.handler', places, reason: 'it is elsewhere' }), 'it is elsewhere')
  t.equal(searched({ inline: 'throw 1' }), 'the code in the template')
  t.end()
})

for (const [name, isLibrary] of [
  ['middy-bounded-sqs-batch', true],
  ['@middy/event-batch-handler', true],
  ['my-middy-bounded-sqs-batch', false],
  ['middy-bounded-sqs-batch-x', false],
] as const) {
  test(`no code, and ${name} in package.json`, async (t) => {
    const root = filesIn(t, { 'package.json': `{ "devDependencies": { "${name}": "1" } }` })
    const { missing } = codeSearch(root)({ ...NODE, places: [join(root, 'src')] })
    t.equal(missing, `there is no code at src${isLibrary ? `, but package.json names ${name}` : ''}`)
  })
}

const NAME = 'middy-bounded-sqs-batch'
test('the functions of this package that need permissions of their own', (t) => {
  const calls = (inline: string) => codeSearch()({ inline }).calls
  t.strictSame(calls(`import '${NAME}'; retryBackoff (x); deadLetter()`), ['deadLetter', 'retryBackoff'])
  t.strictSame(calls(`import '${NAME}'; isolateCrashes({})`), ['isolateCrashes'])
  t.strictSame(calls('deadLetter()'), [], 'of another package')
  for (const text of ['deadLetter', 'deadLetter: x', 'deadLetterQueue()', 'mydeadLetter()']) {
    t.strictSame(calls(`import '${NAME}'; ${text}`), [], text)
  }
  t.end()
})

for (const minify of [false, true]) {
  test(`the functions of this package in a bundle, minified: ${minify}`, (t) => {
    const contents = `import { SQSClient } from '@aws-sdk/client-sqs'
      import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
      import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'
      const onFailure = retryBackoff({ client: new SQSClient({}) })
      export const handler = [boundedSqsBatch({ onFailure }), eachRecord(() => {})]`
    const stdin = { contents, resolveDir: import.meta.dirname }
    const source = join(import.meta.dirname, '../../../src')
    const alias = {
      'middy-bounded-sqs-batch': join(source, 'index.ts'),
      'middy-bounded-sqs-batch/sqs': join(source, 'sqs/index.ts'),
    }
    const external = ['@aws-sdk/*']
    const options = {
      stdin,
      minify,
      external,
      alias,
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
    } as const
    const root = filesIn(t, { 'app.mjs': buildSync(options).outputFiles[0]?.text ?? '' })
    const { calls, reports } = codeSearch(root)({ ...NODE, places: [root] })
    t.strictSame(calls, ['retryBackoff'], 'not those that the bundler has omitted')
    t.equal(reports, 'batchItemFailures in app.mjs')
    t.end()
  })
}

test('the nearest package.json is that of the code, then that of the input, then that of the working folder', async (t) => {
  const names = (library: string) => `{ "dependencies": { "${library}": "1.0.0" } }`
  const root = filesIn(t, {
    'sub/package.json': names('@aws-lambda-powertools/batch'),
    'other/package.json': names('@middy/sqs-partial-batch-failure'),
    'package.json': names(NAME),
  })
  const named = (code: Code) => codeSearch(root)({ ...NODE, ...code }).missing?.split(', but ')[1]
  const [places, folder] = [[join(root, 'sub/gone')], join(root, 'other')]
  t.equal(named({ places, folder }), 'sub/package.json names @aws-lambda-powertools/batch')
  t.equal(named({ folder }), 'other/package.json names @middy/sqs-partial-batch-failure')
  t.equal(named({}), `package.json names ${NAME}`)
})

test('a file that the handler imports can be the bundle', async (t) => {
  const root = filesIn(t, { 'app.mjs': "import './b.mjs'", 'b.mjs': `'${NAME}:batch'; 'retryBackoff'` })
  t.strictSame(codeSearch(root)({ ...NODE, places: [root] }).calls, ['retryBackoff'])
})

test('code that cannot be read is missing, and another error is thrown', async (t) => {
  const root = filesIn(t, { 'app.mjs': REPORTS })
  const name = 'x'.repeat(300)
  t.strictSame(codeSearch(root)({ ...NODE, places: [join(root, name)] }), {
    missing: `${name} cannot be read (ENAMETOOLONG)`,
  })
  t.throws(() => codeSearch(root)({ handler: 5 as never, places: [root] }), { name: 'TypeError' })
})

/** A folder with files, in which the package manager has installed the package in `libs/work`. */
function linked(t: Test, files: Readonly<Record<string, string>>): string {
  const root = realpathSync(filesIn(t, files))
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(join(root, 'libs/work'), join(root, 'node_modules/work'))
  return root
}

test('of a local package, only what its entry imports is evidence', async (t) => {
  const root = linked(t, {
    'libs/work/package.json': '{ "name": "work", "exports": { ".": { "import": "./dist/index.mjs" } } }',
    'libs/work/src/index.mts': "export * from './log.mjs'",
    'libs/work/src/log.mts': 'console.log(1)',
    'libs/work/src/other.mts': `import '${NAME}/sqs'; deadLetter(); return { batchItemFailures: failed }`,
    'src/app.mjs': "import 'work'",
  })
  const found = codeSearch(root)({ ...NODE, places: [join(root, 'src')] })
  t.match(found, { searched: 'src/app.mjs and 2 other files', reports: undefined, calls: [], missing: undefined })
})

test('a local package whose entry is not there', async (t) => {
  const search = (app: string) => {
    const root = linked(t, { 'libs/work/package.json': '{ "name": "work" }', 'src/app.mjs': app })
    return codeSearch(root)({ ...NODE, places: [join(root, 'src')] })
  }
  t.match(search("import 'work'"), { reports: undefined, missing: 'there is no code at libs/work' })
  t.match(search(`import 'work'\n${REPORTS}`), { reports: 'batchItemFailures in src/app.mjs' })
})
