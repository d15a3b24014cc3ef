import { ACCEPTANCE } from './acceptances.ts'
import { DUPLICATE_KEY, NOT_CHECKED, RULES } from './check.ts'
import { helpOf } from './help.ts'

/** A rule as the formats for programs show it. */
export interface ListedRule {
  id: string
  severity: string
  finds: string
  why: string
  source: string
  help: string
}

export function allRules(): ListedRule[] {
  const notChecked = { ...NOT_CHECKED, why: 'A value that is known only after deployment can be wrong.' }
  const acceptance = { ...ACCEPTANCE, source: helpOf(ACCEPTANCE.id) }
  return [...RULES, DUPLICATE_KEY, acceptance, notChecked].map(({ id, severity, finds, why, source }) => {
    return { id, severity, finds, why, source, help: helpOf(id) }
  })
}
