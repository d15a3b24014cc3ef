import { type ErrorGroup, groupErrors, lineOf, toCommon } from '../../../src/report/error-groups.ts'

/** Why a record failed. Errors have the same groups as in the log entry of middy-bounded-sqs-batch. */
export interface Cause {
  /** The error and its causes, in one line. */
  text: string
  /** Names, codes and HTTP statuses. */
  kind: string
  /** What the messages of equal errors have in common. */
  common: string
}

export function causeOfError(error: unknown): Cause {
  const [{ shown, kind }] = groupErrors([{ id: '', error, receiveCount: 0 }]).groups as [ErrorGroup]
  const common = shown.map(({ message }) => toCommon(message)).join('\n')
  return { text: shown.map(lineOf).join('; caused by '), kind, common }
}

/** The cause that a text describes, such as why an invocation failed. */
function causeOfText(text: string): Cause {
  const [name] = /^[^:(]*/.exec(text) ?? []
  return { ...causeOfError({ name, message: text }), text }
}

const MAX_GROUPS = 10
/** From this number of different texts on, only kinds are counted. */
const MAX_COMPARED = 1000

export type CountedCause = Cause & { count: number }

export class ErrorCounter {
  readonly #groups = new Map<string, CountedCause>()

  add(given: Cause | string, count = 1) {
    const cause = typeof given === 'string' ? causeOfText(given) : given
    const key = this.#groups.size < MAX_COMPARED ? `${cause.kind}\n${cause.common}` : cause.kind
    const known = this.#groups.get(key)
    if (known) known.count += count
    else this.#groups.set(key, { ...cause, count })
  }

  /** Another counter can add them. */
  groups(): CountedCause[] {
    return [...this.#groups.values()]
  }

  /**
   * At most ten groups, the largest first. If there are more, those of the same kind become one. If there are
   * still more, the last entry counts the rest.
   */
  counts(): Record<string, number> {
    const isMerged = this.#groups.size > MAX_GROUPS
    const entries = Map.groupBy(this.#groups, ([key, { kind }]) => (isMerged ? kind : key)).values()
    const lines = Array.from(entries, (entry) => {
      const [[, { text }]] = entry as [[string, CountedCause]]
      const shown = entry.length > 1 ? `${text} (one of ${entry.length} different messages)` : text
      return { shown, count: sumOf(entry.map(([, group]) => group)) }
    })
    const omitted = lines.sort((a, b) => b.count - a.count).splice(MAX_GROUPS)
    const counts: Record<string, number> = {}
    for (const { shown, count } of lines) counts[shown] = (counts[shown] ?? 0) + count
    if (omitted.length > 0) counts[`others, in ${omitted.length} more groups`] = sumOf(omitted)
    return counts
  }
}

const sumOf = (groups: readonly { count: number }[]) => groups.reduce((sum, { count }) => sum + count, 0)
