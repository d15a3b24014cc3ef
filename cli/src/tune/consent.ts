import { ask } from '../shared/ask.ts'
import { UsageError } from '../shared/errors.ts'
import { MAX_MESSAGES, MAX_MS } from './defaults.ts'
import { formatDuration, formatFigure } from './figures/format.ts'

/** What a run takes. */
export interface Estimate {
  ms: number
  /** The part of the time in which the best concurrency is searched. */
  searchMs: number
  /** Messages that the handler receives. */
  messages: number
}

export function isLong({ ms, messages }: Estimate): boolean {
  return ms > MAX_MS || messages > MAX_MESSAGES
}

/** A search may take this much longer than estimated. Figures vary more than in the short batches of the estimate. */
const MAX_LONGER = 1.2

/** Whether the search for the best concurrency must end after this time, so that the run ends when the estimate said. */
export function isLate(ms: number, { searchMs }: Estimate): boolean {
  return ms > searchMs * MAX_LONGER
}

/** For example, "about 4 min, 60,000 messages". */
export function textOf({ ms, messages }: Estimate): string {
  const rounded = Number(messages.toPrecision(2))
  return `about ${formatDuration(ms)}, ${formatFigure(rounded)} messages`
}

/**
 * Asks on a terminal whether a long run may start. Elsewhere, or if the answer is no, throws a `UsageError`.
 *
 * @param shorter flags that make the run shorter, with the estimate for them
 * @param terminal `undefined` if nobody can answer
 */
export async function askIfLong(
  estimate: Estimate,
  shorter: readonly { flags: string; estimate: Estimate }[],
  terminal: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!isLong(estimate)) return
  const limits = `${formatDuration(MAX_MS)} or ${formatFigure(MAX_MESSAGES)} messages`
  const advice =
    shorter.length === 0
      ? 'A smaller --batch-size or a narrower --concurrency makes it shorter'
      : `To make it shorter, use ${shorter.map((each) => `${each.flags} (${textOf(each.estimate)})`).join(' or ')}`
  const what = `the estimate for this run is ${textOf(estimate)}, and the limit is ${limits}. ${advice}`
  const isAccepted = terminal !== undefined && (await ask(`${what}.\nStart it? (y/N) `, terminal, signal))
  if (!isAccepted) throw new UsageError(`${what}. To start it anyway, add --yes`)
}
