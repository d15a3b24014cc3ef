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

/** Whether a block is set. Terraform shows a block that is not set as an empty list. */
export function blockAt(instance: Instance, name: string): Setting<true> {
  return mapSetting(listAt(instance, name), (blocks) => (blocks.length > 0 ? known<true>(true) : absent))
}

function rowValueAt(instance: Instance, { terraform, unset }: AnyRow): Setting<unknown> {
  if (!terraform) return absent
  const [argument, ...path] = terraform
  const value = valueAt(instance, argument, ...path)
  return unset !== undefined && valueIn(value) === unset ? absent : value
}

/** The settings of a table. `managed` says whether the function runs on Lambda Managed Instances. */
export function settingsAt<T extends Table>(table: T, instance: Instance, managed?: Setting<unknown>): ReadSettings<T> {
  const get = (row: AnyRow) => rowValueAt(instance, row)
  return readTable(table, get, (name, setting) => idOf(instance, name, setting), managed)
}

export function listAt(instance: Instance, argument: string, ...path: readonly Step[]): Setting<readonly unknown[]> {
  return mapSetting(valueAt(instance, argument, ...path), (value) => known(Array.isArray(value) ? value : [value]))
}

/** Whether a value in a block is known only after apply. */
export function hasUnknown(instance: Instance, block: string): boolean {
  return /true/.test(JSON.stringify(step(instance.unknown, block)))
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
