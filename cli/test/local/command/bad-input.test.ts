import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import { test } from 'tap'
import { main } from '../../../src/program.ts'
import { UsageError } from '../../../src/shared/errors.ts'
import { BIN, command, folder, handlerFile } from '../../support/runs.ts'

const NOTHING_TO_DO =
  'there are no messages to process: use --messages N or --messages-file FILE. Or use --queue-url URL for an existing queue, or --port N so that other programs can send messages'
const OK = handlerFile('outcomes.mjs')

/**
 * Checks that the arguments are refused with an error of one line. Exit code and output of the command are tested
 * below.
 */
function refuses(title: string, args: readonly string[] | ((folder: string) => string[]), line: RegExp) {
  return test(title, async (t) => {
    const printed = t.capture(process.stderr, 'write')
    const argv = [
      process.execPath,
      'bounded-sqs-batch',
      'local',
      ...(typeof args === 'function' ? args(folder(t)) : args),
    ]
    const error = await main(argv, '0.0.0').then(
      () => new Error('was accepted'),
      (error) => error,
    )
    printed.restore()
    t.ok(error instanceof UsageError || error instanceof CommanderError, error.stack)
    t.match(error.message, line)
    t.notMatch(error.message, '\n')
  })
}

function file(path: string, name: string, text: string) {
  writeFileSync(join(path, name), text)
  return join(path, name)
}

function handler(text: string) {
  return (path: string) => [file(path, 'h.mjs', text), '--messages', '1']
}

refuses('no handler', [], /^error: missing required argument 'handler'$/)
refuses('no such file', ['nope.mjs', '--messages', '1'], /^there is no file nope\.mjs$/)
refuses('a folder', ['.', '--messages', '1'], /^there is no file \.$/)
refuses(
  'another kind of file',
  (path) => [file(path, 'h.py', ''), '--messages', '1'],
  /h\.py is not a \.ts, \.mts, \.js, \.mjs or \.cjs file$/,
)
refuses('a # without the name of an export', [`${OK}#`, '--messages', '1'], /has no name after #: write/)
refuses('no input and no queue', [OK], new RegExp(`^${NOTHING_TO_DO}$`))

refuses(
  'a file that throws while loading',
  handler("throw new Error('no table')"),
  /could not be loaded: Error: no table$/,
)
refuses(
  'a handler of eachRecord() that is not passed to Middy',
  [`${handlerFile('record-errors.ts')}#withoutMiddy`, '--messages', '1'],
  /could not be loaded: HandlerNotFound: withoutMiddy has 3 parameters\. Expected a handler with the parameters event and context that returns a promise\. If eachRecord\(\) or eachChunk\(\) made it, pass it to \.handler\(\) of Middy, and export the Middy handler\. Lambda does not run/,
)
refuses('a file that is not JavaScript', handler('export const handler = ('), /could not be loaded: SyntaxError: /)
refuses(
  'a file that imports a missing package',
  handler("import 'not-installed'"),
  /could not be loaded: Error: Cannot find package/,
)
const BUNDLE =
  /\. Bundle it first \(esbuild \S+h\.ts --bundle --packages=external --platform=node --format=esm --outfile=handler\.mjs\), and pass handler\.mjs$/
function typescript(text: string) {
  return (path: string) => [file(path, 'h.ts', text), '--messages', '1']
}
refuses('TypeScript with an enum', typescript('enum Kind { A }\nexport const handler = () => Kind.A'), BUNDLE)
refuses(
  'an import of a .ts file as .js',
  (path) => {
    file(path, 'helper.ts', 'export const one = 1')
    return typescript("import { one } from './helper.js'\nexport const handler = () => one")(path)
  },
  BUNDLE,
)
refuses(
  'a TypeScript file that throws while loading: no hint to bundle it',
  typescript("throw new Error('no table')"),
  /could not be loaded: Error: no table$/,
)
refuses(
  'a file that ends the process',
  handler('process.exit(4)'),
  /could not be loaded: the process ended with exit code 4 while it was loading$/,
)
refuses(
  'a file that awaits a promise that never settles',
  handler('await new Promise(() => {})'),
  /exit code 13 \(it awaits a promise that never settles/,
)
refuses(
  'no such export',
  handler('export const one = 1'),
  /there is no export named `handler`\. The file exports: one$/,
)
for (const [value, kind] of [
  ['5', 'a number'],
  ['{}', 'an object'],
  ['[]', 'an array'],
  ['null', 'null'],
]) {
  refuses(
    `an export that is ${kind}`,
    handler(`export const handler = ${value}`),
    new RegExp(`the export handler is ${kind}, not a function\\. The file exports: handler$`),
  )
}
refuses(
  'a runtime client that does not exist',
  [OK, '--messages', '1', '--runtime-client', 'no-such-client'],
  /exit code 127 \(the command was not found\) while it was loading$/,
)

refuses(
  'no messages',
  [OK, '--messages', '0'],
  /argument '0' is invalid\. Expected a whole number from 1 to 1,000,000\.$/,
)
refuses(
  'a batch size above the limit of Lambda',
  [OK, '--messages', '1', '--batch-size', '10001'],
  /Expected a whole number from 1 to 10,000\.$/,
)
refuses('an idle time that is not a number', [OK, '--messages', '1', '--idle', 'never'], /from 0 to 86,400, or off\.$/)
refuses('an unknown flag', [OK, '--bogus', '1'], /^error: unknown option '--bogus'$/)
refuses(
  'two options for the input',
  [OK, '--messages', '1', '--messages-file', 'x'],
  /option '--messages-file <file>' cannot be used with option '--messages <n>'$/,
)
refuses(
  '--fifo with --queue-url',
  [OK, '--fifo', '--queue-url', 'http://127.0.0.1:1/0/q'],
  /option '--queue-url <url>' cannot be used with option '--fifo'$/,
)
refuses(
  '--retry-after with --queue-url',
  [OK, '--retry-after', 'off', '--queue-url', 'http://127.0.0.1:1/0/q'],
  /option '--queue-url <url>' cannot be used with option '--retry-after <s>'$/,
)
refuses('a --queue-url that is not a URL', [OK, '--queue-url', 'orders'], /--queue-url orders is not a URL$/)
refuses(
  'a batch size of eleven on FIFO',
  [OK, '--messages', '1', '--fifo', '--batch-size', '11'],
  /--batch-size 11 is too large: Lambda allows at most 10 on a FIFO queue$/,
)
refuses('a window on FIFO', [OK, '--messages', '1', '--fifo', '--window', '1'], /no batching window for FIFO queues$/)
refuses(
  'a batch size of eleven without a window',
  [OK, '--messages', '1', '--batch-size', '11', '--window', '0'],
  /--batch-size 11 needs a --window of at least 1$/,
)
refuses(
  'groups on a standard queue',
  [OK, '--messages', '1', '--groups', '2'],
  /--groups needs --messages and a FIFO queue \(--fifo\)$/,
)

const IMPORT = "import { sep } from 'node:path'"
const NO_IMPORT = 'Cannot use import statement outside a module'
const HINT = 'Add "type": "module" to a package.json that is deployed with it, or rename the file to'
for (const [name, statement, problem] of [
  ['h.ts', IMPORT, `${NO_IMPORT}. ${HINT} h.mts`],
  ['h.js', IMPORT, `${NO_IMPORT}. ${HINT} h.mjs`],
  ['h.ts', '', `Unexpected token 'export'. ${HINT} h.mts`],
  ['h.cjs', '', "Unexpected token 'export'"],
] as const) {
  test(`an ES module that Node loads as CommonJS: ${name}${statement && ' with an import'}`, async (t) => {
    const path = folder(t)
    file(path, 'package.json', '{ "type": "commonjs" }')
    const module = file(path, name, `${statement}\nexport const handler = () => {}`)
    // The shell removes NODE_OPTIONS, because the hooks of tap change how Node loads a file.
    const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, BIN]
    const args = ['local', module, '--messages', '1', '--quiet']
    const { status, stderr } = spawnSync('sh', [...shell, ...args], { encoding: 'utf8' })
    t.equal(stderr, `bounded-sqs-batch: ${module} could not be loaded: SyntaxError: ${problem}\n`)
    t.equal(status, 2)
  })
}

test('--port names a port that is in use', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const { code, stderr } = await command(['local', OK, '--port', String(port)])
  t.equal(code, 2)
  t.equal(
    stderr,
    `bounded-sqs-batch: port ${port} is in use: choose another with --port, or omit --port to use any free port\n`,
  )
})

test('the command prints one line without a stack trace, and exits with 2', async (t) => {
  const path = folder(t)
  const [thrower = ''] = handler("throw new Error('no table')")(path)
  const ours = await command(['local', thrower])
  t.strictSame(ours, { code: 2, stdout: '', stderr: `bounded-sqs-batch: ${NOTHING_TO_DO}\n` })
  const parser = await command(['local', thrower, '--messages', 'x'])
  t.strictSame(parser, {
    code: 2,
    stdout: '',
    stderr:
      "error: option '--messages <n>' argument 'x' is invalid. Expected a whole number from 1 to 1,000,000.\n" +
      '(--help shows all commands and options)\n',
  })
  const theirs = await command(['local', thrower, '--messages', '1'])
  t.equal(theirs.code, 2)
  const lines = theirs.stderr.trimEnd().split('\n')
  t.equal(lines.pop(), `bounded-sqs-batch: ${thrower} could not be loaded: Error: no table`)
  t.ok(
    lines.every((line) => line.startsWith('function | ')),
    "the function's own stack trace is its log",
  )
  t.notMatch(theirs.stderr, 'runtime-client')
})
