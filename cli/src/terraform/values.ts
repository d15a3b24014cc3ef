import { absent, known, mapSetting, type Setting, unknown, valueIn, withId } from '../model/setting.ts'
import { type Row, readTable, type SettingsOf, type Table } from '../model/settings.ts'
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
export function valueAt(instance: Instance, argument: string, ...path: readonly Step[]): Setting<unknown> {
  let { values: value, unknown: isUnknown }: { values: unknown; unknown: unknown } = instance
  for (const name of [argument, ...path]) {
    value = step(value, name)
    isUnknown = step(isUnknown, name)
    if (isUnknown === true) return unknown(AFTER_APPLY)
  }
  if (instance.mode === 'data' && !(argument in instance.values)) {
    // The same id for everything that a data source does not show: one finding instead of several.
    return { ...unknown(`${instance.address} does not show it`), id: `${instance.address} shows it` }
  }
  return value === undefined || value === null || value === '' ? absent : known(value)
}

export function textAt(instance: Instance, argument: string, ...path: readonly Step[]): Setting<string> {
  return mapSetting(valueAt(instance, argument, ...path), (value) => known(String(value)))
}

export function listAt(instance: Instance, argument: string, ...path: readonly Step[]): Setting<readonly unknown[]> {
  return mapSetting(valueAt(instance, argument, ...path), (value) => known(Array.isArray(value) ? value : [value]))
}

/** The settings of a table. */
export function settingsAt<T extends Table>(table: T, instance: Instance): SettingsOf<T> {
  const identify = (name: string, setting: Setting<unknown>) => sharedId(instance, name, setting)
  return readTable(table, (row) => rowAt(instance, row), identify)
}

function rowAt(instance: Instance, { kind, terraform, unset, item }: Row): Setting<unknown> {
  if (!terraform) return absent
  const [argument, ...path] = terraform
  if (kind !== 'list') {
    const value = valueAt(instance, argument, ...path)
    return unset !== undefined && valueIn(value) === unset ? absent : value
  }
  // A part of a list can be known only after apply. Terraform shows it as null, or omits it.
  const missing = /true/.test(JSON.stringify(step(instance.unknown, argument))) ? unknown(AFTER_APPLY) : absent
  return mapSetting(listAt(instance, argument, ...path), (list) =>
    known(list.map((one) => (item ? step(one, item[1]) : one)).map((value) => (value ? known(value) : missing))),
  )
}

/**
 * The id of a setting. Instances of one declaration, made by `count` or `for_each`, have settings with the same id if
 * the values are equal. A broken setting is then one finding, which lists the instances.
 */
function sharedId({ address }: Instance, name: string, setting: Setting<unknown>): string {
  return `${address.replaceAll(/\[("(\\.|[^"\\])*"|\d+)\]/g, '')} ${name} ${JSON.stringify(setting)}`
}

/** The setting with an id for its instance and its name. */
export function identified<T>(instance: Instance, name: string, setting: Setting<T>): Setting<T> {
  return withId(sharedId(instance, name, setting), setting)
}
