import { availableParallelism } from 'node:os'
import { dirname, relative, resolve } from 'node:path'
import { nearest } from '../../code-search/imports.ts'
import { type FilterPattern, matcherOf } from '../../filters/filters.ts'
import type { Mapping } from '../../model/model.ts'
import { valueIn } from '../../model/setting.ts'
import { variablesOf } from '../../run-options/env-flags.ts'
import {
  codeRootOf,
  DEFAULT_MAX_RECEIVES,
  nodeMajorOf,
  type TemplateFlags,
} from '../../run-options/template-settings.ts'
import { refuseIf } from '../../shared/errors.ts'
import { countOf, formatNumber } from '../../shared/format.ts'
import { splitExport } from '../../shared/handler-file.ts'
import { parseObject } from '../../shared/json.ts'
import { readIfFile } from '../../shared/text-file.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions, isInspected } from '../environment/environment.ts'
import { MAPPING_DEFAULTS, type RunOptions } from '../event-source/run.ts'
import { numberedMessages, readMessagesFile, readStandardInput } from '../queue/messages-file.ts'
import type { Allowed } from './verdict.ts'

type NumberFlag =
  | ('messages' | 'groups' | 'port' | 'maxReceives' | 'visibilityTimeout' | 'batchSize' | 'window')
  | ('concurrency' | 'timeout' | 'memory' | 'seed' | 'duplicates')
  | 'maximumConcurrency'

/** The flags of `local` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface LocalFlags extends TemplateFlags, Allowed, Partial<Record<NumberFlag, number | undefined>> {
  messagesFile?: string
  queueUrl?: string
  fifo?: boolean
  retryAfter?: number | 'off'
  reportBatchItemFailures: boolean
  freeze: boolean
  inspect?: string | true
  runtimeClient?: string
  idle?: number | 'off'
  quiet?: boolean
  json?: boolean
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
 * The default of --concurrency. With a template, it imitates the start of the mapping, as far as this machine
 * has processors. A debugger can only show one process.
 */
function defaultConcurrency({ template, maximumConcurrency = FIRST_CONCURRENCY }: LocalFlags, inspected: boolean) {
  if (template === undefined || inspected) return 1
  return Math.min(FIRST_CONCURRENCY, maximumConcurrency, Math.max(2, availableParallelism()))
}

/** Lambda's longest timeout and longest batching window, in seconds. */
const LONGEST_TIMEOUT = 900
const LONGEST_WINDOW = 300

/**
 * With --inspect, a debugger can stop the handler for a long time, and a message that fails is not delivered again.
 * Flags on the command line override this. It overrides the template.
 */
export function withDebugger(flags: LocalFlags): LocalFlags {
  if (flags.inspect === undefined) return flags
  const timeout = flags.timeout ?? LONGEST_TIMEOUT
  if (flags.queueUrl !== undefined) return { ...flags, timeout }
  const { maxReceives = 1, visibilityTimeout = timeout + LONGEST_WINDOW + 1 } = flags
  return { ...flags, timeout, maxReceives, visibilityTimeout }
}

/** Refuses flags for the queue that cannot be combined. */
function checkQueueFlags({ queueUrl, messages, messagesFile, port }: LocalFlags) {
  refuseIf(process.platform === 'win32', 'local needs a POSIX shell: run it on Linux, macOS or WSL')
  refuseIf(queueUrl !== undefined && !URL.canParse(queueUrl), `--queue-url ${queueUrl} is not a URL`)
  refuseIf(
    [queueUrl, messages, messagesFile, port].every((flag) => flag === undefined),
    'there are no messages to process: use --messages N or --messages-file FILE. ' +
      'Or use --queue-url URL for an existing queue, or --port N so that other programs can send messages',
  )
}

/** Refuses a file that is an ES module here, but not on Lambda, or that cannot be run as CommonJS here. */
function checkModuleType(file: string, mapping: Mapping | undefined) {
  const codeRoot = mapping && codeRootOf(mapping)
  const manifest = nearest(dirname(resolve(file)), 'package.json')
  const isDeployed = (path: string) => codeRoot !== undefined && !relative(codeRoot, path).startsWith('..')
  if (!file.endsWith('.js') || !isDeployed(file) || !manifest || isDeployed(manifest)) return
  refuseIf(
    parseObject(readIfFile(manifest))?.type === 'module',
    `${file} is an ES module only because of ${manifest}, and the template deploys only ${codeRoot}. ` +
      'Name the file .mjs, or .cjs if it is CommonJS',
  )
}

/** Refuses flags that the mapping of a standard or FIFO queue cannot have. */
function checkMappingFlags(flags: LocalFlags, fifo: boolean, batchSize: number) {
  const { messages, window, groups, seed, duplicates } = flags
  refuseIf(fifo && batchSize > 10, `--batch-size ${batchSize} is too large: Lambda allows at most 10 on a FIFO queue`)
  refuseIf(fifo && window, '--window cannot be used on a FIFO queue: Lambda has no batching window for FIFO queues')
  refuseIf(batchSize > 10 && window === 0, `--batch-size ${batchSize} needs a --window of at least 1`)
  refuseIf(
    groups !== undefined && !(fifo && messages !== undefined),
    '--groups needs --messages and a FIFO queue (--fifo)',
  )
  for (const [flag, value] of Object.entries({ '--seed': seed, '--duplicates': duplicates })) {
    refuseIf(fifo && value !== undefined, `${flag} needs a standard queue: a FIFO queue keeps the order of its groups`)
  }
  const matches = matcherOf(flags.templateFilters ?? [])
  refuseIf(
    matches && messages !== undefined && ![...numberedMessages(messages)].some(({ body }) => matches(body)),
    `none of the ${formatNumber(messages ?? 0)} messages of --messages matches a filter of ${flags.template}, so Lambda would delete all of them. ` +
      'Use --messages-file with messages that match',
  )
}

/** Without --batch-size, a process has at least as many invocations, so that mistakes can recur. */
const MIN_INVOCATIONS = 5

/** The default of --batch-size for this many messages, if their number is known. */
function defaultBatchSize(fifo: boolean, count = Number.POSITIVE_INFINITY) {
  return Math.min(fifo ? 10 : MAPPING_DEFAULTS.batchSize, Math.max(1, Math.floor(count / MIN_INVOCATIONS)))
}

async function inputOf({ messages, messagesFile, groups = 10 }: LocalFlags, fifo: boolean) {
  if (messagesFile === '-') return readStandardInput(fifo)
  if (messagesFile !== undefined) return readMessagesFile(messagesFile, fifo)
  return messages === undefined ? undefined : numberedMessages(messages, fifo ? groups : 0)
}

type Print = (line: string) => void

/**
 * Converts flags to the options of a run. Throws a UsageError if flags cannot be combined. `print` receives a line about
 * a default.
 */
export async function toRunOptions(
  handler: string,
  flags: LocalFlags,
  mapping?: Mapping,
  print: Print = () => {},
): Promise<RunOptions> {
  const { queueUrl, port, seed, duplicates, timeout = FUNCTION_DEFAULTS.timeout / 1000 } = flags
  checkQueueFlags(flags)
  const own = queueUrl === undefined
  const fifo = own ? flags.fifo === true : queueUrl.endsWith('.fifo')
  const messages = await inputOf(flags, fifo)
  const count = flags.messages ?? (Array.isArray(messages) ? messages.length : undefined)
  const batchSize = flags.batchSize ?? defaultBatchSize(fifo, flags.template === undefined ? count : undefined)
  checkMappingFlags(flags, fifo, batchSize)
  const window = flags.window ?? (batchSize > 10 ? MAPPING_DEFAULTS.windowMs / 1000 : 0)
  const {
    visibilityTimeout = timeout + window + 1,
    retryAfter = own ? 1 : 'off',
    maxReceives = DEFAULT_MAX_RECEIVES,
    idle = own && port === undefined ? OWN_IDLE : IDLE,
  } = flags
  const target: FunctionOptions = {
    ...splitExport(handler),
    timeout: timeout * 1000,
    memory: flags.memory,
    env: variablesOf(flags),
    freeze: flags.freeze,
    callbacks: mapping !== undefined && (nodeMajorOf(mapping) ?? FIRST_WITHOUT_CALLBACKS) < FIRST_WITHOUT_CALLBACKS,
    inspect: flags.inspect,
    runtimeClient: flags.runtimeClient,
  }
  checkModuleType(target.file, mapping)
  if (flags.batchSize === undefined && flags.template === undefined && count !== undefined)
    print(`batch size ${formatNumber(batchSize)} (default for ${countOf(count, 'message')}; see --batch-size)`)
  const contentBasedDeduplication = mapping && valueIn(mapping.queue.contentBasedDeduplication)
  const stopsLoops = !mapping || valueIn(mapping.function.recursiveLoop) !== 'Allow'
  return {
    queue: own
      ? { visibilityTimeout, maxReceives, fifo, contentBasedDeduplication, port, duplicates, seed, stopsLoops }
      : { queueUrl },
    function: target,
    mapping: {
      batchSize,
      windowMs: window * 1000,
      concurrency: flags.concurrency ?? defaultConcurrency(flags, isInspected(target)),
      reportBatchItemFailures: flags.reportBatchItemFailures,
      retryAfter: retryAfter === 'off' ? undefined : retryAfter,
      filters: flags.templateFilters ?? [],
    },
    messages,
    seed,
    idle: idle === 'off' ? undefined : idle,
  }
}
