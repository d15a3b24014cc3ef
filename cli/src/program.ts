import { Command, InvalidArgumentError, Option } from 'commander'
import type { DoctorFlags } from './doctor/doctor.ts'
import type { LocalFlags } from './local/command/options.ts'
import type { TuneFlags } from './tune/options.ts'
import { CONCURRENCY, DEFAULT_BATCH_SIZE, MEMORIES } from './tune/predict.ts'
import type { Range } from './tune/search.ts'

/** Accepts a whole number in this range, or one of the words. */
function inRange(least: number, most: number, ...words: string[]) {
  return (text: string): number | string => {
    if (words.includes(text)) return text
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    const or = words.map((word) => `, or ${word}`).join('')
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most.toLocaleString('en-US')}${or}.`)
  }
}

const memorySize = inRange(128, 10_240)
const batchSize = inRange(1, 10_000)

/** Accepts memory sizes, separated by commas. Returns them in ascending order. */
function memorySizes(text: string): number[] {
  return [...new Set(text.split(',').map(memorySize))].map(Number).sort((a, b) => a - b)
}

/** Accepts two whole numbers, such as 10..400, or a single one. */
function concurrencyRange(text: string): Range {
  const [, first, last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? []
  const range = { least: Number(first), most: Number(last) }
  if (range.least >= 1 && range.least <= range.most && range.most <= 100_000) return range
  const expected = 'a whole number from 1 to 100,000, or two, the lower one first, such as 10..400'
  throw new InvalidArgumentError(`Expected ${expected}.`)
}

function share(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= 0 && value <= 1) return value
  throw new InvalidArgumentError('Expected a number from 0 to 1, such as 0.1.')
}

/** Accepts a duration from 30 seconds to an hour, such as 90s, 3m or 1h. Returns milliseconds. */
function duration(text: string): number {
  const [, value, unit = ''] = /^(\d+)(s|m|h)$/.exec(text) ?? []
  const seconds = Number(value) * (UNITS[unit] ?? Number.NaN)
  if (seconds >= 30 && seconds <= 3600) return seconds * 1000
  throw new InvalidArgumentError('Expected a time from 30s to 1h, such as 90s, 3m or 1h.')
}

const MOST = 1_000_000_000

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

function collect(value: string, before: string[] = []) {
  return [...before, value]
}

const EXAMPLES = `
Examples:
  Your own messages, one JSON value per line, and the export \`orders\`
    $ bounded-sqs-batch local src/handler.ts#orders --messages-file orders.jsonl

The handler really runs, and calls the systems that its environment variables
point to. Only the SQS endpoint is replaced, and not with --queue-url: a client
with the URL of a real queue still calls that queue.

Exit code: 0 if the run passed, 1 if it failed, 2 for wrong usage or input.
A run passes if all messages were sent, and at least one was processed. No
message may be lost, left in the queue or deleted out of order. No process may
die between invocations, and no invocation may respond before its work has
ended. At most --max-dead-lettered messages may be dead-lettered or dropped by
onFailure. At most --max-failed-invocations invocations may fail as a whole.`

const HANDLER = 'file of the handler (.ts, .mts, .js, .mjs, .cjs); add #name if the export is not named `handler`'

/** The options of a run that `local` and `tune` share. */
function addFunctionOptions(command: Command): Command {
  return command
    .optionsGroup('Function:')
    .option('--timeout <s>', 'timeout of the function in seconds (default 30)', inRange(1, 5400))
    .option('--env <name=value>', 'set an environment variable of the function; may be repeated', collect)
    .option('--env-from <file>', 'read environment variables from a file, one NAME=VALUE per line')
}

/** The options with which `local` and `tune` read settings from a template. */
function addTemplateOptions(command: Command): Command {
  return command
    .optionsGroup('Settings from a template (the other flags override them):')
    .option('--template <file>', 'read settings from a SAM or CloudFormation template')
    .option('--parameter <name=value>', 'set a parameter of the template; may be repeated', collect)
    .option('--template-function <id>', 'logical id of the function or mapping, if the template has several')
}

function addQueueOptions(command: Command): Command {
  return command
    .optionsGroup('Queue (created in this process, unless --queue-url is given):')
    .addOption(
      new Option(
        '--queue-url <url>',
        'receive and delete the messages of this queue, for tests against another SQS',
      ).conflicts(['port', 'fifo', 'maxReceives', 'visibilityTimeout', 'retryAfter', 'duplicates']),
    )
    .option('--port <n>', 'port of the queue, for other programs that send messages', inRange(1, 65_535))
    .option('--fifo', 'create a FIFO queue')
    .option('--max-receives <n>', 'deliveries before a message is dead-lettered (default 5)', inRange(1, 1000))
    .option('--visibility-timeout <s>', 'in seconds (default: timeout + window + 1)', inRange(0, 43_200))
    .option(
      '--retry-after <s>',
      'seconds until failed messages are redelivered (default 1); use "off" to wait for the visibility timeout',
      inRange(0, 43_200, 'off'),
    )
    .option('--seed <n>', 'mix the messages of a standard queue in another order (default 1)', inRange(0, 2 ** 32 - 1))
    .option('--duplicates <share>', 'deliver this share of the messages twice, such as 0.1', share)
}

export function localCommand() {
  const command = new Command('local')
    .summary("run a handler on this machine as Lambda's event source mapping and runtime would")
    .description(
      "Runs an SQS batch handler on this machine as Lambda's event source mapping and runtime would. " +
        'It sends messages, gathers them into batches, and invokes the handler in a separate process. It deletes ' +
        'the messages that are not reported as failed. At the end, it prints what happened to all messages.',
    )
    .argument('<handler>', HANDLER)
    .optionsGroup('Input:')
    .option('--messages <n>', 'send this many numbered JSON messages', inRange(1, 1_000_000))
    .addOption(
      new Option(
        '--messages-file <file>',
        'send the messages in a file, or - (standard input): SQS events, what aws sqs receive-message prints, or lines',
      ).conflicts('messages'),
    )
    .option('--groups <n>', 'message groups for --messages on a FIFO queue (default 10)', inRange(1, 100_000))
  addQueueOptions(command)
    .optionsGroup('Event source mapping:')
    .option(
      '--batch-size <n>',
      'most records in one event (default a fifth of the messages, at most 10,000, or 10 on a FIFO queue)',
      batchSize,
    )
    .option('--window <s>', 'most seconds to gather a batch (default 2, or 0 for batches up to 10)', inRange(0, 300))
    .option('--concurrency <n>', 'processes of the handler (default 1; with a template, up to 5)', inRange(1, 100))
    .option('--no-report-batch-item-failures', 'delete messages even if the handler reports them as failed')
  addFunctionOptions(command)
    .option('--memory <mb>', 'memory of the function; above 110 % of it, the process crashes', memorySize)
    .option('--no-freeze', 'let the processes of the handler run between invocations; Lambda freezes them')
    .option('--inspect [host:port]', 'wait for a debugger; deliver each message once, with a timeout of 900 s')
    .addOption(
      new Option('--runtime-client <command>', 'runs the handler instead of the built-in client').conflicts('inspect'),
    )
  return addTemplateOptions(command)
    .optionsGroup('End of the run, and limits for it to pass:')
    .option(
      '--idle <s>',
      'end the run when the queue has been empty for this many seconds (default 2, or 0.5); use "off" for Ctrl-C',
      inRange(0, 86_400, 'off'),
    )
    .option('--max-dead-lettered <n>', 'messages that may leave the queue unprocessed', inRange(0, MOST), 0)
    .option('--max-failed-invocations <n>', 'invocations that may fail as a whole', inRange(0, MOST), 0)
    .optionsGroup('Output:')
    .option('--quiet', 'hide the logs of the function')
    .option('--json', 'print the ledger as one JSON object on stdout, and everything else on stderr')
    .addHelpText('after', EXAMPLES)
}

const DOCTOR_EXAMPLES = `
Examples:
  A SAM or CloudFormation template, or the output of cdk synth
    $ bounded-sqs-batch doctor template.yaml --parameter Stage=prod
  A plan or a state of Terraform or OpenTofu
    $ terraform show -json plan.out | bounded-sqs-batch doctor -

Exit code: 1 if there is an error that is not accepted (with --strict, also for
a warning). Otherwise 2 if an input cannot be read, or if no input has an SQS
event source mapping. Otherwise 0.`

export function doctorCommand() {
  return new Command('doctor')
    .summary('check the settings that decide whether messages are lost')
    .description(
      'Checks SQS event source mappings with their functions, queues and redrive policies. Reads a SAM or ' +
        'CloudFormation template, a plan or state of Terraform, or a deployed function. Lists what it could not check.',
    )
    .argument(
      '[inputs...]',
      'templates, outputs of "terraform show -json", and folders of these, such as cdk.out; use - for standard input',
    )
    .option('--parameter <name=value>', 'set a parameter of the template; may be repeated', collect)
    .optionsGroup('A deployed function, instead of a template or Terraform:')
    .option('--function <name>', 'check a deployed function and all its aliases; NAME:ALIAS checks a single alias')
    .option('--region <region>', "region of the function (default: the SDK's environment variables and profile)")
    .optionsGroup('Accepted findings, which do not count:')
    .option('--accept <rule@resource=reason>', 'accept this finding; may be repeated', collect)
    .option('--accept-file <file>', 'read findings to accept from a file, one RULE@RESOURCE=REASON per line', collect)
    .optionsGroup('Output:')
    .addOption(
      new Option('--format <format>', 'form of the output').choices(['text', 'json', 'github']).default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('--strict', 'also exit with code 1 if there is a warning')
    .addHelpText('after', DOCTOR_EXAMPLES)
}

const TUNE_EXAMPLES = `
Examples:
  Sample messages, one JSON value per line
    $ bounded-sqs-batch tune dist/handler.mjs --messages-file sample.jsonl

The handler really runs, and calls the systems that its environment variables
point to. Use a test system.

Exit code: 0 if there is a recommendation, 1 if no combination can be used or
the run was interrupted, 2 for wrong usage or input.`

export function tuneCommand() {
  const command = new Command('tune')
    .summary('find the best concurrency and memory for a handler by running it')
    .description(
      'Finds the best concurrency and memory for a handler with middy-bounded-sqs-batch. Runs it on this machine ' +
        'with different values of BOUNDED_SQS_BATCH_CONCURRENCY, and predicts its speed and cost for each memory size.',
    )
    .argument('<handler>', `${HANDLER}. Use the file that is deployed`)
    .optionsGroup('Input:')
    .requiredOption('--messages-file <file>', 'sample messages, as for local. They are repeated as often as necessary')
    .optionsGroup('What to try:')
    .addOption(
      new Option('--time <time>', 'time after which the run ends with what it knows, from 30s to 1h')
        .argParser(duration)
        .default(180_000, '3m'),
    )
    .option('--memory <list>', `memory sizes in megabytes (default: ${MEMORIES}, and others)`, memorySizes)
    .addOption(
      new Option('--concurrency <range>', 'lowest and highest concurrency to try, in all environments together')
        .argParser(concurrencyRange)
        .default(CONCURRENCY, `${CONCURRENCY.least}..${CONCURRENCY.most}`),
    )
    .option('--batch-size <n>', `records in one event (default ${DEFAULT_BATCH_SIZE}, or 10 for FIFO)`, batchSize)
    .addOption(
      new Option('--optimize <what>', 'what to optimize; balanced means the lowest cost × time')
        .choices(['speed', 'cost', 'balanced'])
        .default('balanced'),
    )
  return addTemplateOptions(addFunctionOptions(command))
    .optionsGroup('Output:')
    .option('--report <file>', 'write an HTML page with charts: a new file, or an .html file')
    .option('--json', 'print the result as one JSON object on stdout, and everything else on stderr')
    .addHelpText('after', TUNE_EXAMPLES)
}

export async function main(argv: readonly string[], version: string): Promise<number> {
  let code = 0
  const program = new Command('bounded-sqs-batch')
    .description('Runs SQS batch handlers as Lambda would, checks settings, and finds the best concurrency and memory.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(--help shows all commands and options)')
  // Imported here, because it loads the SDK, which --help does not need.
  const commands = [
    localCommand().action(async (handler: string, flags: LocalFlags) => {
      code = await (await import('./local/command/local.ts')).local(handler, flags)
    }),
    doctorCommand().action(async (inputs: string[], flags: DoctorFlags) => {
      code = await (await import('./doctor/doctor.ts')).doctor(inputs, flags)
    }),
    tuneCommand().action(async (handler: string, flags: TuneFlags) => {
      code = await (await import('./tune/tune.ts')).tune(handler, flags)
    }),
  ]
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program))
  await program.parseAsync(argv)
  return code
}
