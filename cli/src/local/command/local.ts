import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { manifestAbove } from '../../code/commonjs.ts'
import { ask } from '../../shared/ask.ts'
import { InitError, UsageError } from '../../shared/errors.ts'
import { widthOf, wrapWords } from '../../shared/wrap.ts'
import type { FunctionOptions } from '../simulator/environment.ts'
import { run } from '../simulator/run.ts'
import { differencesOf } from './differences.ts'
import { openDisplay, renderLedger, renderVerdict } from './display.ts'
import { type LocalFlags, REAL_CALLS_WARNING, toRunOptions } from './options.ts'
import { withTemplate } from './template-flags.ts'
import { messages, whyFailed } from './verdict.ts'

const SAME_SIGNAL_MS = 300
/** The first failures are kept for `--json`, and the very first is printed if the run failed. */
const MAX_FAILURES = 10
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The command `bounded-sqs-batch local`: runs the handler, prints the ledger, and returns the exit code. */
export async function local(handler: string, given: LocalFlags): Promise<number> {
  const { flags, notes, mapping } = await withTemplate(given)
  const stream = flags.json ? process.stderr : process.stdout
  for (const note of notes) stream.write(`${wrapWords(note, widthOf(stream))}\n`) // printed before the options are checked: these notes may explain an error
  const options = await toRunOptions(handler, flags)
  await announceGivenQueue(flags, stream)
  const total = Array.isArray(options.messages) ? options.messages.length : flags.messages
  const display = openDisplay(stream, total)
  const draining = new AbortController()
  const stopping = new AbortController()
  const failures: string[] = []
  let lastSignal = 0
  function interrupt() {
    // If npm started this process, Ctrl-C reaches it twice: from the terminal and from npm. Signals in quick succession
    // count as one.
    if (draining.signal.aborted && performance.now() - lastSignal < SAME_SIGNAL_MS) return
    lastSignal = performance.now()
    if (draining.signal.aborted) {
      display.log('stopping immediately: the messages of running invocations stay in the queue')
      return stopping.abort()
    }
    display.log('finishing the running batches; press Ctrl-C again to stop immediately')
    draining.abort()
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)

  try {
    const ledger = await run({
      ...options,
      function: {
        ...options.function,
        ...(flags.quiet ? {} : { onLog: (line: string) => display.print(`function | ${line}`, process.stderr) }),
      },
      mapping: {
        ...options.mapping,
        onFailure: (line) => {
          if (failures.length < MAX_FAILURES) failures.push(line)
        },
      },
      onStart: ({ queueUrl, deadLetterUrl, fifo }) => {
        if (flags.port !== undefined) {
          display.log(`${fifo ? 'FIFO queue' : 'queue'} ${queueUrl}`)
          if (deadLetterUrl) display.log(`dead-letter queue ${deadLetterUrl}`)
        }
        const replaced = flags.queueUrl === undefined ? 'only its SQS endpoint is replaced' : 'nothing is replaced'
        display.log(`${REAL_CALLS_WARNING}, and ${replaced}`, process.stderr)
        if (readsMissingDeadLetterUrl(options.function)) display.log(`warning: ${ADD_DEAD_LETTER_URL}`, process.stderr)
      },
      onWarning: (line) => display.log(`warning | ${line}`, process.stderr),
      onProgress: display.progress,
      drain: draining.signal,
      stop: stopping.signal,
    })
    display.end()
    const reason = whyFailed(ledger, flags)
    const differences = differencesOf(ledger, options, mapping)
    if (flags.json) {
      const verdict = { verdict: reason === undefined ? 'passed' : 'failed', reason }
      process.stdout.write(`${JSON.stringify({ ...verdict, ...ledger, differences, failures })}\n`)
    } else {
      process.stdout.write(`${renderLedger(ledger, process.stdout)}\n`)
      if (ledger.lost > 0) display.log(whyLost(ledger.lost, flags))
      if (reason !== undefined && failures[0]) display.log(`first failure: ${failures[0]}`)
      for (const difference of differences) display.log(`not as on AWS: ${difference}`)
    }
    display.log(renderVerdict(reason, ledger, stream))
    return reason === undefined ? 0 : 1
  } catch (error) {
    display.end()
    throw error instanceof InitError ? notLoaded(handler, options.function, error) : error
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

/** Says what the run does to a queue of somebody else. On a terminal, asks whether it may start. */
export async function announceGivenQueue(
  { queueUrl }: Pick<LocalFlags, 'queueUrl'>,
  stream: NodeJS.WriteStream,
  input: NodeJS.ReadStream = process.stdin,
) {
  if (queueUrl === undefined) return
  const what = `this run receives AND DELETES the messages of ${queueUrl}`
  if (!input.isTTY || !stream.isTTY) {
    stream.write(`${wrapWords(what, widthOf(stream))}\n`)
    return
  }
  if (!(await ask(`${what}.\nStart it? (y/N) `, { input, output: stream })))
    throw new UsageError('the run was not started')
}

/** The usage error for a function that cannot be loaded. */
export function notLoaded(handler: string, functionOptions: FunctionOptions, error: InitError): UsageError {
  return new UsageError(`${handler} could not be loaded: ${error.message}${hintFor(functionOptions, error)}`)
}

const DEAD_LETTER_URL = 'DEAD_LETTER_QUEUE_URL'
const ADD_DEAD_LETTER_URL =
  `The template does not set ${DEAD_LETTER_URL}, so the function would not have it on Lambda. Add this to the function ` +
  `in the template, with the name of your dead-letter queue: Environment: { Variables: { ${DEAD_LETTER_URL}: !Ref … } }`

function lacksDeadLetterUrl({ env = {} }: FunctionOptions): boolean {
  return DEAD_LETTER_URL in env && env[DEAD_LETTER_URL] === undefined
}

/** Whether the file of the handler reads a variable that the template does not set. */
function readsMissingDeadLetterUrl(options: FunctionOptions): boolean {
  return lacksDeadLetterUrl(options) && readFileSync(options.file, 'utf8').includes(DEAD_LETTER_URL)
}

/** What Node reports if a file is an ES module, but the `type` in package.json is `commonjs`. */
const NO_ES_MODULE = /Cannot use import statement outside a module|Unexpected token 'export'/

/** Node only removes the types from TypeScript. It does not compile an enum, and does not find ./x.ts for ./x.js. */
function hintFor(functionOptions: FunctionOptions, { message }: InitError) {
  const { file, runtimeClient, codeRoot } = functionOptions
  if (readsMissingDeadLetterUrl(functionOptions) || (lacksDeadLetterUrl(functionOptions) && /queueUrl/.test(message))) {
    return `. ${ADD_DEAD_LETTER_URL}`
  }
  if (/require\(\) of ES Module/.test(message)) {
    return '. Lambda turns off require() of ES modules (--no-experimental-require-module): bundle the handler, or use import()'
  }
  const isTypeScript = /ts$/.test(file)
  if (isTypeScript && runtimeClient) return '. If this runtime client cannot load TypeScript, pass a JavaScript file'
  const manifest = codeRoot === undefined ? undefined : manifestAbove(codeRoot, file)
  if (manifest !== undefined && NO_ES_MODULE.test(message)) {
    return `. ${manifest} is not deployed, because it is outside of the CodeUri ${codeRoot}. Move it there, or rename the file to ${basename(file, '.js')}.mjs`
  }
  if (/\.[jt]s$/.test(file) && NO_ES_MODULE.test(message)) {
    const renamed = basename(file).replace(/[jt]s$/, 'm$&')
    return `. Add "type": "module" to package.json, or rename the file to ${renamed}`
  }
  if (!isTypeScript) return ''
  if (!/strip-only mode|Cannot find module .* imported from .*ts$/.test(message)) return ''
  const flags = '--bundle --packages=external --platform=node --format=esm --outfile=handler.mjs'
  return `. Bundle it first (esbuild ${file} ${flags}), and pass handler.mjs`
}

function whyLost(lost: number, flags: LocalFlags) {
  const failed = flags.reportBatchItemFailures
    ? 'Lambda deletes failed messages if the handler does not return the response of middy-bounded-sqs-batch.'
    : 'Without ReportBatchItemFailures, Lambda deletes failed messages.'
  return `${messages(lost)} lost. ${failed} Another consumer may also have received messages, or the handler deleted messages that it reported as failed.`
}
