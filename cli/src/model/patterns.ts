import { MAX_FILTERS, type Pattern, readPattern } from '../filters/filters.ts'
import { type Items, invalid, known, type Setting, unknown } from './setting.ts'

/** Reads the filters of a mapping. An item that is absent has no pattern. */
export function filtersSetting(items: Items): Setting<readonly Setting<Pattern>[]> {
  if (items.state !== 'known') return items
  const { value, position } = items
  if (value.length <= MAX_FILTERS) return known(value.map(patternSetting), position)
  const what = `the mapping has ${value.length} filters, but Lambda allows at most ${MAX_FILTERS}`
  return invalid(what, `Use at most ${MAX_FILTERS} filters.`, position)
}

export function patternSetting(text: Setting<unknown>): Setting<Pattern> {
  if (text.state === 'unknown') return text
  if (text.state === 'absent') return known<Pattern>({ error: 'it has no Pattern' })
  const pattern = readPattern(text.value)
  return 'reason' in pattern ? unknown(pattern.reason, text.position) : known(pattern, text.position)
}
