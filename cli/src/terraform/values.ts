import { absent, known, mapSetting, type Setting, unknown, valueIn, withId } from '../model/setting.ts'
import { type AnyRow, type ReadSettings, readTable, type Table } from '../model/settings.ts'
import type { Instance } from './plan.ts'

export const AFTER_APPLY = 'it is known only after apply'

type Step = string | number

function step(value: unknown, name: Step): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<Step, unknown>)[name] : undefined
}

/**
 * The value at a path such as `scaling_config`, 0, `maximum_concurrency`. Terraform shows an argument that is not set
 * as null, and a block that is not set as an empty list.
 */
export function valueAt(instance: Instance, ...path: readonly Step[]): Setting<unknown> {
  let { values: value, unknown: isUnknown }: { values: unknown; unknown: unknown } = instance
  for (const name of path) {
    value = step(value, name)
    isUnknown = step(isUnknown, name)
    if (isUnknown === true) return unknown(AFTER_APPLY)
  }
  const [first = ''] = path
  if (instance.mode === 'data' && !(first in instance.values)) {
    // The same id for everything that a data source does not show: one finding instead of several.
    return { ...unknown(`${instance.address} does not show it`), id: `${instance.address} shows it` }
  }
  return value === undefined || value === null || value === '' ? absent : known(value)
}

export function textAt(instance: Instance, ...path: readonly Step[]): Setting<string> {
  return mapSetting(valueAt(instance, ...path), (value) => known(String(value)))
}

/** Whether a block is set. Terraform shows a block that is not set as an empty list. */
export function blockAt(instance: Instance, name: string): Setting<true> {
  return mapSetting(listAt(instance, name), (blocks) => (blocks.length > 0 ? known<true>(true) : absent))
}

function rowValueAt(instance: Instance, { kind, terraform, unset }: AnyRow): Setting<unknown> {
  if (!terraform) return absent
  const value = valueAt(instance, ...terraform)
  // A block that is set may have a value that is known only after apply.
  if (kind === 'presence' && value.state === 'unknown') return blockAt(instance, String(terraform[0]))
  return unset !== undefined && valueIn(value) === unset ? absent : value
}

/** The settings of a table. `get` returns the value of a row, by default that of its attribute. */
export function settingsAt<T extends Table>(
  table: T,
  instance: Instance,
  get = (row: AnyRow) => rowValueAt(instance, row),
  managed?: Setting<unknown>,
): ReadSettings<T> {
  return readTable(table, get, (name, setting) => idOf(instance, name, setting), managed)
}

export function listAt(instance: Instance, ...path: readonly Step[]): Setting<readonly unknown[]> {
  return mapSetting(valueAt(instance, ...path), (value) => known(Array.isArray(value) ? value : [value]))
}

/** Whether a value below this path is known only after apply. */
export function hasUnknown(instance: Instance, ...path: readonly Step[]): boolean {
  const search = (value: unknown): boolean =>
    value === true || (typeof value === 'object' && value !== null && Object.values(value).some(search))
  return search(path.reduce(step, instance.unknown))
}

/**
 * Instances of one declaration, made by `count` or `for_each`, have settings with the same id if the values are equal.
 * A broken setting is then one finding, which lists the instances.
 */
function idOf({ address }: Instance, name: string, setting: Setting<unknown>): string {
  return `${address.replaceAll(/\[("(\\.|[^"\\])*"|\d+)\]/g, '')} ${name} ${JSON.stringify(setting)}`
}

/** The setting with an id for its instance and its name. */
export function identified<T>(instance: Instance, name: string, setting: Setting<T>): Setting<T> {
  return withId(idOf(instance, name, setting), setting)
}
