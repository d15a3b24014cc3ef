import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import { type Test, test } from 'tap'
import { checkOutputs } from '../../src/tune/outputs.ts'
import { folder } from '../support/runs.ts'

/** The part of an earlier output by which `tune` recognizes it. */
const OLD_REPORT = '<meta name="generator" content="bounded-sqs-batch tune">'
const OLD_RECORD = '{"attributes":{"SenderId":"tune"}}'
const OLD_PAYLOAD = `{"Records":[${OLD_RECORD}]}`

/** Writes these files. Returns their paths by their names. */
function write<Name extends string>(t: Test, contents: Record<Name, string>) {
  const at = folder(t)
  const paths = {} as Record<Name, string>
  for (const [name, content] of Object.entries(contents) as [Name, string][]) {
    paths[name] = join(at, name)
    fs.mkdirSync(dirname(paths[name]), { recursive: true })
    fs.writeFileSync(paths[name], content)
  }
  return { at, paths }
}

const SAME = 'both are the same file. Name another file'

test('an output that is also an input or the other output is refused, also through a link', async (t) => {
  const contents = { 'handler.mjs': 'export {}', 'samples.jsonl': '{"number":1}', 'template.yaml': '', 'a.env': 'A=1' }
  const { at, paths } = write(t, contents)
  const { 'handler.mjs': handler, 'samples.jsonl': messagesFile, 'template.yaml': template, 'a.env': envFrom } = paths
  const [symbolic, hard, report] = ['symbolic', 'hard', 'report.html'].map((name) => join(at, name)) as [
    string,
    string,
    string,
  ]
  fs.symlinkSync(messagesFile, symbolic)
  fs.linkSync(handler, hard)
  function refuse(outputs: { payload?: string; report?: string }, message: string) {
    const expected = { name: 'UsageError', message: `${message}: ${SAME}` }
    t.throws(() => checkOutputs({ messagesFile, template, envFrom, ...outputs }, handler), expected)
  }
  refuse({ payload: messagesFile }, `--payload ${messagesFile} would overwrite --messages-file ${messagesFile}`)
  refuse({ report: symbolic }, `--report ${symbolic} would overwrite --messages-file ${messagesFile}`)
  refuse({ report: hard }, `--report ${hard} would overwrite the handler ${handler}`)
  refuse({ report: template }, `--report ${template} would overwrite --template ${template}`)
  refuse({ payload: envFrom }, `--payload ${envFrom} would overwrite --env-from ${envFrom}`)
  refuse({ payload: report, report }, `--report ${report} would overwrite --payload ${report}`)
  for (const [name, content] of Object.entries(contents)) t.equal(fs.readFileSync(join(at, name), 'utf8'), content)
  t.strictSame(fs.readdirSync(at).sort(), [...Object.keys(contents), 'hard', 'symbolic'].sort(), 'no new file')
})

test('an output overwrites neither a module that the handler imports, nor a file that tune has not written', async (t) => {
  const contents = {
    'handler.mjs':
      "import './lib/used.mjs'\nimport './folder'\nimport sample from './sample.json' with { type: 'json' }",
    'lib/used.mjs': "export { x } from '../deep.mjs'",
    'deep.mjs': `export const x = '${OLD_REPORT}'`,
    'folder/index.mjs': OLD_REPORT,
    'sample.json': OLD_PAYLOAD,
    'event.json': '{"Records":[{"attributes":{"SenderId":"AIDAEXAMPLE"}}]}',
    'mixed.json': `{"Records":[${OLD_RECORD},{"attributes":{}},{},null]}`,
    'none.json': '{"Records":[]}',
    'other.json': '{"Records":1}',
    'list.json': '[]',
    'empty.json': '',
    'page.html': '<p>Another page.</p>',
  }
  const { paths } = write(t, contents)
  function refuse(flag: 'report' | 'payload', name: keyof typeof contents, message: string) {
    const file = paths[name]
    t.throws(() => checkOutputs({ messagesFile: 'samples.jsonl', [flag]: file }, paths['handler.mjs']), {
      name: 'UsageError',
      message: `--${flag} ${file} would overwrite ${message}`,
    })
  }
  for (const name of ['deep.mjs', 'lib/used.mjs', 'folder/index.mjs'] as const) {
    refuse('report', name, `${paths[name]}, which the handler imports: ${SAME}`)
  }
  refuse('payload', 'sample.json', `${paths['sample.json']}, which the handler imports: ${SAME}`)
  const foreign = (what: string) => `a file that tune has not written. ${what}: name a new file, or delete this one`
  const isPayload = foreign('--payload is an output of tune, and not an input')
  const others = [
    'event.json',
    'mixed.json',
    'none.json',
    'other.json',
    'list.json',
    'empty.json',
    'page.html',
  ] as const
  for (const name of others) refuse('payload', name, isPayload)
  refuse('report', 'page.html', foreign('--report is an HTML page'))
  for (const [name, content] of Object.entries(contents)) {
    t.equal(fs.readFileSync(paths[name as keyof typeof contents], 'utf8'), content)
  }
})

test('new files, files of an earlier run and /dev/null are accepted, and none of them changes', async (t) => {
  const { at, paths } = write(t, { 'old.html': OLD_REPORT, 'old.json': OLD_PAYLOAD })
  const link = join(at, 'link.html')
  fs.symlinkSync(join(at, 'target.html'), link)
  for (const [report, payload] of [
    [paths['old.html'], paths['old.json']],
    [join(at, 'new.html'), join(at, 'new.json')],
    [link, undefined],
    ['/dev/null', '/dev/null'],
    [undefined, undefined],
  ] as const) {
    const outputs = { ...(report && { report }), ...(payload && { payload }) }
    checkOutputs({ ...outputs, messagesFile: '-', envFrom: join(at, 'missing.env') }, join(at, 'missing.mjs'))
  }
  t.strictSame(fs.readdirSync(at).sort(), ['link.html', 'old.html', 'old.json'])
  t.equal(fs.readFileSync(paths['old.html'], 'utf8'), OLD_REPORT)
  t.equal(fs.readFileSync(paths['old.json'], 'utf8'), OLD_PAYLOAD)
})

test('an output that cannot be written is refused', async (t) => {
  const report = join(folder(t), 'missing', 'report.html')
  t.throws(() => checkOutputs({ report, messagesFile: '-' }, 'handler.mjs'), {
    name: 'UsageError',
    message: `--report ${report} cannot be written (ENOENT)`,
  })
})

/** Imitates `fs.statSync()` for these paths until the end of the test. */
function imitateStats(t: Test, stats: Record<string, (options: fs.StatOptions) => unknown>) {
  const { statSync } = fs
  t.teardown(syncBuiltinESMExports) // the last teardown, after tap has restored the function
  t.intercept(fs, 'statSync', {
    value: (path: string, options: fs.StatOptions) => stats[path]?.(options) ?? statSync(path, options),
  })
  syncBuiltinESMExports()
}

test('standard input that is redirected from a file is an input', async (t) => {
  const { paths } = write(t, { 'old.json': OLD_PAYLOAD })
  const payload = paths['old.json']
  const { statSync } = fs
  imitateStats(t, { '/dev/stdin': (options) => statSync(payload, options) })
  t.throws(() => checkOutputs({ payload, messagesFile: '-' }, 'handler.mjs'), {
    message: `--payload ${payload} would overwrite --messages-file /dev/stdin: ${SAME}`,
  })
})

test('files whose large numbers differ in the last digit are not the same file', async (t) => {
  const { paths } = write(t, { 'old.html': OLD_REPORT, 'old.json': OLD_PAYLOAD })
  const { 'old.html': report, 'old.json': payload } = paths
  const numbered = (ino: bigint) => (options: fs.StatOptions | undefined) => ({
    isFile: () => true,
    dev: 1,
    ino: options?.bigint ? ino : Number(ino),
  })
  imitateStats(t, { [report]: numbered(2n ** 53n), [payload]: numbered(2n ** 53n + 1n) })
  t.doesNotThrow(() => checkOutputs({ payload, report, messagesFile: '-' }, 'handler.mjs'))
})
