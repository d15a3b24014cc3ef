import { absent, known, type Setting, unknown } from '../model/setting.ts'
import { type Row, readTable, type SettingsOf, type Table } from '../model/settings.ts'
import { isObject } from '../shared/json.ts'

/** A value in a response of AWS. If there is none, the setting is absent. */
function settingAt(response: unknown, path: Row['path']): Setting<unknown> {
  const value = path.reduce<unknown>((parent, name) => (isObject(parent) ? parent[name] : undefined), response)
  return value === undefined || value === null ? absent : known(value)
}

/**
 * The settings of a table in the response of a call. AWS always returns a setting that has a default. A local substitute
 * may not return it, and may use another default. The value is then unknown.
 */
export function returned<T extends Table>(
  table: T,
  id: string,
  response: unknown,
  by: 'Lambda' | 'SQS',
): SettingsOf<T> {
  function get(row: Row): Setting<unknown> {
    const setting = settingAt(response, row.path)
    if (setting.state === 'absent' && row.default !== undefined) return unknown(`${by} does not return it`)
    if (setting.state !== 'known' || row.kind !== 'list') return setting
    return known([setting.value].flat().map((item) => (row.item ? settingAt(item, [row.item[0]]) : known(item))))
  }
  return readTable(table, get, (name) => `${id} ${name}`)
}
