import { availableParallelism } from 'node:os'
import { type FilterPattern, matcherOf } from '../../filters/filters.ts'
import { variablesOf } from '../../run-options/env-flags.ts'
import { splitExport } from '../../run-options/flags.ts'
import { DEFAULT_MAX_RECEIVES, type TemplateFlags } from '../../run-options/template-settings.ts'
import { refuseIf } from '../../shared/flags.ts'
import { formatNumber } from '../../shared/format.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions, isInspected } from '../simulator/environment.ts'
import { numberedMessages, readMessagesFile, readStandardInput } from '../simulator/messages.ts'
import { MAPPING_DEFAULTS, type RunOptions } from '../simulator/run.ts'

/** The flags of `local` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface LocalFlags extends TemplateFlags {
  messages?: number
  messagesFile?: string
  groups?: number
  queueUrl?: string
  endpoint?: string
  port?: number
  fifo?: boolean
  maxReceives?: number
  visibilityTimeout?: number
  retryAfter?: number | 'off'
  batchSize?: number
  window?: number
  concurrency?: number
  reportBatchItemFailures: boolean
  timeout?: number
  memory?: number
  /** false with --no-freeze. */
  freeze: boolean
  inspect?: string | true
  runtimeClient?: string
  maxDeadLettered: number
  maxFailedInvocations: number
  idle?: number | 'off'
  seed?: number
  duplicates?: number
  quiet?: boolean
  json?: boolean
  /** What follows is known from the template, and has no flag. */
  maximumConcurrency?: number
  maximumMessageSize?: number | undefined
  contentBasedDeduplication?: boolean
  /** The major version of Node. */
  nodeMajor?: number | undefined
  /** The folder that is deployed. */
  codeRoot?: string | undefined
  templateFilters?: FilterPattern[]
}

/** The default of --idle. Nothing can arrive later in a queue of this process that no other program knows. */
const IDLE = 2
const OWN_IDLE = 0.5

/** The first version of Node for which Lambda refuses handlers with a callback. */
const FIRST_WITHOUT_CALLBACKS = 24
/** On AWS, a mapping starts with five invocations at a time. */
const FIRST_CONCURRENCY = 5

/**
 * The default of --concurrency. With a template, it imitates the start of the mapping, as far as this machine has
 * processors. A debugger can only show one process.
 */
function defaultConcurrency({ template, maximumConcurrency = FIRST_CONCURRENCY }: LocalFlags, inspected: boolean) {
  if (template === undefined || inspected) return 1
  return Math.min(FIRST_CONCURRENCY, maximumConcurrency, Math.max(2, availableParallelism()))
}

/** Converts flags to the options of a run. Throws a UsageError if flags cannot be combined. */
export async function toRunOptions(handler: string, flags: LocalFlags): Promise<RunOptions> {
  const { queueUrl, endpoint, messages, messagesFile, window, seed, duplicates } = flags
  const { timeout = FUNCTION_DEFAULTS.timeout / 1000 } = flags
  refuseIf(process.platform === 'win32', 'local needs a POSIX shell: run it on Linux, macOS or WSL')
  const own = queueUrl === undefined
  refuseIf(
    own && endpoint !== undefined,
    '--endpoint needs --queue-url: without --queue-url, the queue is created in this process',
  )
  for (const [flag, url] of Object.entries({ '--queue-url': queueUrl, '--endpoint': endpoint })) {
    refuseIf(url !== undefined && !URL.canParse(url), `${flag} ${url} is not a URL`)
  }
  const sends = messages !== undefined || messagesFile !== undefined
  refuseIf(
    own && !sends && flags.port === undefined,
    'there are no messages to process: use --messages N or --messages-file FILE. ' +
      'Or use --queue-url URL for an existing queue, or --port N so that other programs can send messages',
  )

  const fifo = own ? flags.fifo === true : queueUrl.endsWith('.fifo')
  const batchSize = flags.batchSize ?? (fifo ? 10 : MAPPING_DEFAULTS.batchSize)
  refuseIf(fifo && batchSize > 10, `--batch-size ${batchSize} is too large: Lambda allows at most 10 on a FIFO queue`)
  refuseIf(fifo && window, '--window cannot be used on a FIFO queue: Lambda has no batching window for FIFO queues')
  refuseIf(batchSize > 10 && window === 0, `--batch-size ${batchSize} needs a --window of at least 1`)
  refuseIf(
    flags.groups !== undefined && !(fifo && messages !== undefined),
    '--groups needs --messages and a FIFO queue (--fifo)',
  )
  for (const [flag, value] of Object.entries({ '--seed': seed, '--duplicates': duplicates })) {
    refuseIf(fifo && value !== undefined, `${flag} needs a standard queue: a FIFO queue keeps the order of its groups`)
  }
  const filters = flags.templateFilters ?? []
  const matches = matcherOf(filters)
  refuseIf(
    matches && messages !== undefined && ![...numberedMessages(messages)].some(({ body }) => matches(body)),
    `none of the ${formatNumber(messages ?? 0)} messages of --messages matches a filter of ${flags.template}, so Lambda would delete all of them. ` +
      'Use --messages-file with messages that match',
  )

  async function readInput() {
    if (messagesFile === '-') return readStandardInput(fifo, flags.maximumMessageSize)
    if (messagesFile !== undefined) return readMessagesFile(messagesFile, fifo, flags.maximumMessageSize)
    return numberedMessages(messages ?? 0, fifo ? (flags.groups ?? 10) : 0)
  }

  const windowSeconds = window ?? (batchSize > 10 ? MAPPING_DEFAULTS.windowMs / 1000 : 0)
  const {
    visibilityTimeout = timeout + windowSeconds + 1,
    retryAfter = own ? 1 : 'off',
    maxReceives = DEFAULT_MAX_RECEIVES,
    contentBasedDeduplication = false,
    idle = own && flags.port === undefined ? OWN_IDLE : IDLE,
  } = flags
  const functionOptions: FunctionOptions = {
    ...splitExport(handler),
    timeout: timeout * 1000,
    memory: flags.memory,
    env: variablesOf(flags),
    freeze: flags.freeze,
    callbacks: flags.nodeMajor !== undefined && flags.nodeMajor < FIRST_WITHOUT_CALLBACKS,
    inspect: flags.inspect,
    codeRoot: flags.codeRoot,
    runtimeClient: flags.runtimeClient,
  }
  return {
    queue: own
      ? { visibilityTimeout, maxReceives, fifo, contentBasedDeduplication, port: flags.port, duplicates, seed }
      : { queueUrl, endpoint },
    function: functionOptions,
    mapping: {
      batchSize,
      windowMs: windowSeconds * 1000,
      concurrency: flags.concurrency ?? defaultConcurrency(flags, isInspected(functionOptions)),
      reportBatchItemFailures: flags.reportBatchItemFailures,
      retryAfter: retryAfter === 'off' ? undefined : retryAfter,
      filters,
    },
    messages: await readInput(),
    seed,
    idle: idle === 'off' ? undefined : idle,
    awaitFirst: own && !sends,
  }
}
