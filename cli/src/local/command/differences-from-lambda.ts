import type { Mapping } from '../../model/model.ts'
import { valueIn } from '../../model/setting.ts'
import { nodeMajorOf } from '../../run-options/template-settings.ts'
import { isTypeScript } from '../../shared/handler-file.ts'
import type { Ledger } from '../account/ledger.ts'
import type { RunOptions } from '../event-source/run.ts'

interface Run {
  ledger: Ledger
  options: RunOptions
  mapping?: Mapping | undefined
}

/**
 * What a run cannot imitate, or does on purpose in another way: a text if it concerns this run. The list at
 * the end of docs/local-reference.md has the same rows.
 */
const DIFFERENCES: readonly ((run: Run) => string | false | undefined)[] = [
  ({ ledger, options: { queue, mapping } }) => {
    const { retryAfter } = mapping
    const isOfQueue = ledger.deadLettered > ledger.stoppedLoops && ledger.redelivered > 0
    const visibilityTimeout = 'visibilityTimeout' in queue ? queue.visibilityTimeout : Number.POSITIVE_INFINITY
    if (retryAfter === undefined || retryAfter >= visibilityTimeout) return false
    const how = `redelivered after ${retryAfter} s instead of`
    if (ledger.replacedTimeouts > 0)
      return `${how} the delays that the function had set (${ledger.replacedTimeouts} times): see --retry-after off`
    return isOfQueue && `${how} ${visibilityTimeout} s: see --retry-after off`
  },
  ({ ledger: { sentByFunction }, mapping }) =>
    sentByFunction > 0 &&
    !(mapping && valueIn(mapping.function.recursiveLoop) === 'Allow') &&
    `the function sent ${sentByFunction} messages to the queue that it reads. Lambda stops a message that comes back in this way about 16 times: it is dead-lettered, or lost without a dead-letter queue`,
  ({ mapping }) => {
    const major = mapping && nodeMajorOf(mapping)
    const own = Number.parseInt(process.versions.node, 10)
    return major !== undefined && major !== own && `this was Node ${own}, but the Runtime is nodejs${major}.x`
  },
  ({ options: { function: target } }) =>
    isTypeScript(target.file) &&
    'Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
  ({ options: { function: target } }) =>
    target.runtimeClient && 'with --runtime-client, memory, CPU time and work after the response are not checked',
]

export function differencesOf(ledger: Ledger, options: RunOptions, mapping?: Mapping): string[] {
  return DIFFERENCES.flatMap((difference) => difference({ ledger, options, mapping }) || [])
}
