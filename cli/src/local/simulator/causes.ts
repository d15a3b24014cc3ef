import { type ErrorGroup, groupErrors, lineOf, toCommon } from '../../../../src/report/error-groups.ts'

/**
 * Why a record failed. Errors have the same groups as in the log entry of middy-bounded-sqs-batch.
 */
export interface Cause {
  /** The error and its causes, in one line. */
  text: string
  /** Names, codes and HTTP statuses. */
  kind: string
  /** What the messages of equal errors have in common. */
  common: string
}

export function causeOfError(error: unknown): Cause {
  const [group] = groupErrors([{ id: '', error, receiveCount: 0 }]).groups as [ErrorGroup]
  const texts = [group, ...group.causes]
  const common = texts.map(({ message }) => toCommon(message)).join('\n')
  return { text: texts.map(lineOf).join('; caused by '), kind: group.kind, common }
}

/** The cause that a text describes, such as why an invocation failed. */
function causeOfText(text: string): Cause {
  const [name] = /^[^:(]*/.exec(text) ?? []
  return { ...causeOfError({ name, message: text }), text }
}

const MAX_GROUPS = 10
/** From this number of different texts on, only kinds are counted. */
const MAX_COMPARED = 1000

export interface Group extends Cause {
  count: number
  /** How many different messages it has. */
  messages: number
}

function addTo(groups: Map<string, Group>, key: string, added: Group) {
  const known = groups.get(key)
  if (!known) return groups.set(key, { ...added })
  known.count += added.count
  known.messages += added.messages
}

export class Counter {
  readonly #groups = new Map<string, Group>()

  add(given: Cause | string, count = 1) {
    const cause = typeof given === 'string' ? causeOfText(given) : given
    const { kind, common } = cause
    const key = this.#groups.size < MAX_COMPARED ? `${kind}\n${common}` : kind
    const messages = this.#groups.has(key) ? 0 : 1
    addTo(this.#groups, key, { ...cause, count, messages })
  }

  /** Another counter can add them. */
  groups(): Group[] {
    return [...this.#groups.values()]
  }

  /**
   * At most ten groups, the largest first. If there are more, those of the same kind become one. If there are
   * still more, the last entry counts the rest.
   */
  counts(): Record<string, number> {
    const merged = new Map<string, Group>()
    const isMerged = this.#groups.size > MAX_GROUPS
    for (const [key, group] of this.#groups) addTo(merged, isMerged ? group.kind : key, group)
    const sorted = [...merged.values()].sort((a, b) => b.count - a.count)
    const omitted = sorted.splice(MAX_GROUPS)
    const counts: Record<string, number> = {}
    for (const { text, count, messages } of sorted) {
      const shown = messages > 1 ? `${text} (one of ${messages} different messages)` : text
      counts[shown] = (counts[shown] ?? 0) + count
    }
    const rest = omitted.reduce((sum, { count }) => sum + count, 0)
    if (rest > 0) counts[`others, in ${omitted.length} more groups`] = rest
    return counts
  }
}
