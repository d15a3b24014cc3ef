import { MAX_FILTERS, type Pattern, readPattern } from '../filters/filters.ts'
import { invalid, known, type Position, type Setting, unknown } from './setting.ts'
import { knownValue, type Tree } from './tree.ts'

export function filtersSetting(items: readonly Tree[], position?: Position): Setting<readonly Setting<Pattern>[]> {
  if (items.length <= MAX_FILTERS) return known(items.map(patternSetting), position)
  const what = `the mapping has ${items.length} filters, but Lambda allows at most ${MAX_FILTERS}`
  return invalid(what, `Use at most ${MAX_FILTERS} filters.`, position)
}

export function patternSetting(tree: Tree): Setting<Pattern> {
  const { position } = tree
  if (tree.state === 'unknown') return unknown(tree.reason, position)
  if (tree.state === 'absent') return known<Pattern>({ error: 'it has no Pattern' })
  const pattern = readPattern(knownValue(tree) ?? (tree.state === 'list' ? [] : {}))
  return 'reason' in pattern ? unknown(pattern.reason, position) : known(pattern, position)
}
