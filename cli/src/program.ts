import { Command, InvalidArgumentError, Option } from 'commander'
import type { DoctorFlags } from './doctor/doctor.ts'
import type { LocalFlags } from './local/options.ts'
import { FUNCTION_DEFAULTS } from './local/runtime/environment.ts'

/** Accepts a number in this range, or one of the words. NaN is in no range. */
function inRange(least: number, most: number, ...words: string[]) {
  return (text: string): number | string => {
    if (words.includes(text)) return text
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    const or = words.map((word) => ` or ${word}`).join('')
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most.toLocaleString('en-US')}${or}.`)
  }
}

/** An option that may be given many times. */
function collect(value: string, before: string[] = []) {
  return [...before, value]
}

const EXAMPLES = `
Examples:
  10,000 numbered messages, in batches as large as Lambda makes them
    $ bounded-sqs-batch local src/handler.ts --messages 10000
  Your own messages, one JSON value a line, through the export \`orders\`
    $ bounded-sqs-batch local src/handler.ts#orders --messages-file orders.jsonl
  A FIFO queue with 50 message groups, four invocations at once
    $ bounded-sqs-batch local src/handler.ts --fifo --messages 1000 \\
        --groups 50 --concurrency 4
  What the mapping does when somebody forgot ReportBatchItemFailures
    $ bounded-sqs-batch local src/handler.ts --messages 1000 \\
        --no-report-batch-item-failures
  The batch size, timeouts and redrive policy of a template
    $ bounded-sqs-batch local src/handler.ts --messages 10000 \\
        --template template.yaml
  A queue of ElasticMQ, LocalStack or AWS; nothing is created or purged
    $ bounded-sqs-batch local src/handler.ts --endpoint http://localhost:9324 \\
        --queue-url http://localhost:9324/000000000000/orders
  AWS's own runtime client, on a bundle
    $ bounded-sqs-batch local dist/handler.mjs --messages 1000 \\
        --runtime-client "npx aws-lambda-ric"

Exit code: 0 when the run passed, 1 when it failed, 2 for bad usage. It passes
if no message was lost or left in the queue, at least one was processed, no
process died between invocations, and the flags allow as many dead-lettered
messages and failed invocations as there were.`

function localCommand() {
  return new Command('local')
    .summary("run a handler on this machine as Lambda's event source mapping and runtime would")
    .description(
      "Runs a handler of SQS batches on this machine as Lambda's event source mapping and runtime would: sends messages, " +
        'gathers them into batches, invokes the handler in a process of its own, deletes what it does not report, and ' +
        'accounts for every message at the end.',
    )
    .argument('<handler>', 'file of the handler (.ts, .mts, .js, .mjs, .cjs), with #export where it is not `handler`')
    .optionsGroup('Input:')
    .option('--messages <n>', 'send this many numbered JSON messages', inRange(1, 1_000_000))
    .option(
      '--messages-file <file>',
      'send these: JSON lines, a body or { body, messageGroupId, messageAttributes }, or an SQS event; - is standard input',
    )
    .option(
      '--messages-from <file>',
      'send what an export of a module yields, #default unless named: an (async) iterable',
    )
    .option('--groups <n>', 'spread --messages over this many message groups (FIFO; default 10)', inRange(1, 100_000))
    .optionsGroup('Queue (its own, in this process, unless --queue-url is given):')
    .option('--queue-url <url>', 'use this queue; nothing is created or purged')
    .option('--endpoint <url>', "where SQS answers, for a stand-in of AWS; else the SDK's environment variables")
    .option('--port <n>', 'port of its own SQS, to send messages to (default: any)', inRange(1, 65_535))
    .option('--fifo', 'make its own queue a FIFO queue')
    .option('--max-receives <n>', 'deliveries before a message is dead-lettered (default 3)', inRange(1, 1000))
    .option('--visibility-timeout <s>', 'seconds (default: timeout + window + 1)', inRange(0, 43_200))
    .option(
      '--retry-after <s>',
      'seconds until failed messages come back, or off (default 1)',
      inRange(0, 43_200, 'off'),
    )
    .optionsGroup('Event source mapping:')
    .option('--batch-size <n>', 'most records in one event (default 10,000; FIFO 10)', inRange(1, 10_000))
    .option('--window <s>', 'most seconds to gather a batch (default 2; 0 for batches up to 10)', inRange(0, 300))
    .option('--concurrency <n>', 'invocations at once, each in a process of its own', inRange(1, 100), 1)
    .option('--no-report-batch-item-failures', "ignore the handler's report, as Lambda does without the setting")
    .optionsGroup('Function:')
    .option(
      '--timeout <s>',
      `seconds, up to 900, on Managed Instances up to 5,400 (default: ${FUNCTION_DEFAULTS.timeout / 1000})`,
      inRange(1, 5400),
    )
    .option('--memory <mb>', `megabytes of V8's heap (default: ${FUNCTION_DEFAULTS.memory})`, inRange(128, 10_240))
    .option('--fd-limit <n>', 'hard limit of file descriptors', inRange(32, 1_048_576), FUNCTION_DEFAULTS.fdLimit)
    .option('--runtime-client <command>', 'another client of the Runtime API, such as "npx aws-lambda-ric"')
    .option(
      '--env <name=value>',
      "a variable, beside this shell's environment, which is inherited; many times",
      collect,
    )
    .option('--env-file <file>', 'a file of NAME=VALUE lines')
    .optionsGroup('Settings from a template (the flags above win):')
    .option('--template <file>', 'take queue, mapping and function from a SAM or CloudFormation template')
    .option('--parameter <name=value>', 'a parameter of the template; may be given many times', collect)
    .option('--template-function <id>', 'which function, or mapping, where the template has several')
    .optionsGroup('What a run may come to and still pass:')
    .option('--max-dead-lettered <n>', 'dead-lettered messages, by queue or handler', inRange(0, 1_000_000_000), 0)
    .option('--max-failed-invocations <n>', 'invocations that failed as a whole', inRange(0, 1_000_000_000), 0)
    .optionsGroup('Output:')
    .option('--idle <s>', 'end when the queue has been empty so long, or off', inRange(0, 86_400, 'off'), 2)
    .option('--watch-failures <n>', 'show the first so many failures', inRange(0, 1_000_000), 0)
    .option('--quiet', "hide the function's logs")
    .option('--json', 'the ledger as one JSON object on stdout, everything else on stderr')
    .addHelpText('after', EXAMPLES)
}

const DOCTOR_EXAMPLES = `
Examples:
  A SAM or CloudFormation template, or what cdk synth has made
    $ bounded-sqs-batch doctor template.yaml --parameter Stage=prod
  With bodies of 2 KB and 80 ms a record, 100 at once; warnings fail, too
    $ bounded-sqs-batch doctor template.yaml --body-bytes 2000 \\
        --record-ms 80 --strict
  Annotations in a workflow of GitHub Actions
    $ bounded-sqs-batch doctor template.yaml --format github
  A function that is deployed
    $ bounded-sqs-batch doctor --function orders-prod --region eu-central-1

Exit code: 1 on an error (with --strict, on a warning), 0 when there is none,
2 when it could not read its input or found no SQS event source mapping in it.`

function doctorCommand() {
  return new Command('doctor')
    .summary('check the settings that decide whether messages are lost')
    .description(
      'Checks the SQS event source mappings of a template, or of a function that is deployed, with their functions, ' +
        'queues and redrive policies, and lists what it could not check.',
    )
    .argument('[template]', 'file of a SAM or CloudFormation template, YAML or JSON')
    .option('--parameter <name=value>', 'a parameter of the template; may be given many times', collect)
    .optionsGroup('Instead of a template:')
    .option('--function <name>', 'a function that is deployed, with its aliases; NAME:ALIAS for one alone')
    .option('--region <region>', "its region; else the SDK's environment variables and profile")
    .option('--endpoint-url <url>', "where Lambda and SQS answer, for a stand-in; else the SDK's environment variables")
    .optionsGroup('The work:')
    .option('--body-bytes <n>', 'bytes of a typical body, to check what fits into 6 MB', inRange(0, 1_048_576))
    .option('--record-ms <ms>', "milliseconds a record, to check the function's timeout", inRange(1, 5_400_000))
    .option('--record-concurrency <n>', 'records at work at once', inRange(1, 10_000), 100)
    .optionsGroup('Output:')
    .addOption(new Option('--format <format>', 'how to show it').choices(['table', 'json', 'github']).default('table'))
    .option('--strict', 'exit with 1 on a warning too')
    .addHelpText('after', DOCTOR_EXAMPLES)
}

/** Parses and runs; answers the exit code. Usage errors of the parser are printed by it. */
export async function main(argv: readonly string[], version: string): Promise<number> {
  let code = 0
  const program = new Command('bounded-sqs-batch')
    .description('Runs handlers of SQS batches on this machine as Lambda would, and checks the settings around them.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
  const command = localCommand()
    .copyInheritedSettings(program)
    .action(async (handler: string, flags: LocalFlags) => {
      const { local } = await import('./local/local.ts') // with the SDK, which nothing else here waits for
      code = await local(handler, flags)
    })
  const second = doctorCommand()
    .copyInheritedSettings(program)
    .action(async (template: string | undefined, flags: DoctorFlags) => {
      const { doctor } = await import('./doctor/doctor.ts')
      code = await doctor(template, flags)
    })
  await program.addCommand(command).addCommand(second).parseAsync(argv)
  return code
}
