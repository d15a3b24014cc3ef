/** The errors of docs/troubleshooting.md that keep a function from being built or started. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')
const bin = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url))

const HANDLER = `import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
export const handler = middy().use(boundedSqsBatch()).handler(eachRecord(() => {}))
`
/** The relevant settings of `cdk init`. Its package.json has no type, so .ts files are CommonJS. */
const OF_CDK_INIT = { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, noEmit: true, types: [] }

const folder = temporaryFolder(t, {
  'package.json': '{ "private": true }',
  'handler.ts': HANDLER,
  'handler.mts': HANDLER,
  'requires-library.cjs': "require('middy-bounded-sqs-batch')",
  'requires-middy.cjs': "require('@middy/core')",
  'commonjs-dependency.cjs': "module.exports = require('node:os')",
  'bundled.mjs': "import './commonjs-dependency.cjs'",
  'common.json': JSON.stringify({ compilerOptions: OF_CDK_INIT, files: ['handler.ts'] }),
  'mts.json': JSON.stringify({ compilerOptions: OF_CDK_INIT, files: ['handler.mts'] }),
  'preserve.json': JSON.stringify({
    compilerOptions: { ...OF_CDK_INIT, module: 'preserve', moduleResolution: 'bundler' },
    files: ['handler.ts'],
  }),
})

/** What the command prints. The shell removes NODE_OPTIONS, because tap's hooks break the compiler. */
function run(program: string, ...args: string[]): string {
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', program, ...args]
  const { stdout, stderr } = spawnSync('sh', shell, { cwd: folder, encoding: 'utf8' })
  return stdout + stderr
}

function assertHeading(text: string): void {
  if (!page.includes(`\n### \`${text}\`\n`)) throw new Error(`Expected a heading of docs/troubleshooting.md: ${text}`)
}

t.test('TS2307 in a CommonJS project, and two ways out', async (t) => {
  assertHeading("TS2307: Cannot find module '@middy/core'")
  t.match(run(`${bin}tsc`, '-p', 'common.json'), "error TS2307: Cannot find module '@middy/core'")
  t.equal(run(`${bin}tsc`, '-p', 'mts.json'), '')
  t.equal(run(`${bin}tsc`, '-p', 'preserve.json'), '')
})

t.test('ERR_REQUIRE_ESM and ERR_PACKAGE_PATH_NOT_EXPORTED with the flags of Lambda', async (t) => {
  const flags = ['--no-experimental-require-module', '--no-experimental-detect-module']
  for (const [code, file, text] of [
    ['ERR_REQUIRE_ESM', 'requires-library.cjs', /require\(\) of ES Module .*dist\/index\.js from .* not supported/],
    [
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
      'requires-middy.cjs',
      /No "exports" main defined in .*@middy\/core\/package\.json/,
    ],
  ] as const) {
    assertHeading(code)
    const output = run(process.execPath, ...flags, file)
    t.match(output, code)
    t.match(output, text)
  }
})

t.test('Dynamic require of a bundle, and both ways out', async (t) => {
  assertHeading('Dynamic require of "…" is not supported')
  const options = ['bundled.mjs', '--bundle', '--platform=node', '--log-level=error']
  run(`${bin}esbuild`, ...options, '--format=esm', '--outfile=dist/plain.mjs')
  t.match(run(process.execPath, 'dist/plain.mjs'), 'Dynamic require of "node:os" is not supported')
  run(`${bin}esbuild`, ...options, '--format=cjs', '--outfile=dist/bundle.cjs')
  t.equal(run(process.execPath, 'dist/bundle.cjs'), '')
  const ids = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8')
  const [, banner = ''] = /^--banner:js="([^"]+)"$/m.exec(ids) ?? []
  run(
    `${bin}esbuild`,
    ...options,
    '--format=esm',
    `--banner:js=${banner.replace('\\\n', '')}`,
    '--outfile=dist/banner.mjs',
  )
  t.equal(run(process.execPath, 'dist/banner.mjs'), '')
})
