import { ACCEPTANCE } from './acceptances.ts'
import { NOT_CHECKED, RULES } from './check.ts'
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
  return [...RULES, acceptance, notChecked].map(({ id, severity, finds, why, source }) => {
    return { id, severity, finds, why, source, help: helpOf(id) }
  })
}
