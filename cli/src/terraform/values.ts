import { absent, known, type Limit, numberSetting, type Setting, unknown, valueIn } from '../model.ts'
import type { Instance } from './plan.ts'

export const AFTER_APPLY = 'it is known only after apply'

type Step = string | number

function step(value: unknown, name: Step): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<Step, unknown>)[name] : undefined
}

/** One setting for everything that a data source does not show. The result is one finding instead of several. */
const notShown = new WeakMap<Instance, ReturnType<typeof unknown>>()
function notShownBy(instance: Instance) {
  const setting = notShown.get(instance) ?? unknown(`${instance.address} does not show it`)
  notShown.set(instance, setting)
  return setting
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
  if (instance.mode === 'data' && !(first in instance.values)) return notShownBy(instance)
  return value === undefined || value === null || value === '' ? absent : known(value)
}

/** Applies `change` to a known value. Returns any other setting unchanged. */
export function mapSetting<T, R>(setting: Setting<T>, change: (value: T) => Setting<R>): Setting<R> {
  return setting.state === 'known' ? change(setting.value) : setting
}

export function textAt(instance: Instance, ...path: readonly Step[]): Setting<string> {
  return mapSetting(valueAt(instance, ...path), (value) => known(String(value)))
}

export function numberAt(limit: Limit, instance: Instance, ...path: readonly Step[]): Setting<number> {
  const setting = valueAt(instance, ...path)
  return setting.state === 'unknown' ? setting : numberSetting(limit, valueIn(setting))
}

/**
 * Like `numberAt()`, but 0 counts as not set: for arguments of a mapping, the provider does not distinguish the two.
 */
export function positiveAt(limit: Limit, instance: Instance, ...path: readonly Step[]): Setting<number> {
  const setting = valueAt(instance, ...path)
  return valueIn(setting) === 0 ? numberSetting(limit, undefined) : numberAt(limit, instance, ...path)
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
 * Instances of one declaration, made by `count` or `for_each`, share their settings if the values are equal. A broken
 * setting is then one finding, which lists the instances.
 */
export function createSharing() {
  const settings = new Map<string, unknown>()
  function share<T>({ address }: Instance, name: string, setting: T): T {
    const key = `${address.replaceAll(/\[("(\\.|[^"\\])*"|\d+)\]/g, '')} ${name} ${JSON.stringify(setting)}`
    const shared = (settings.get(key) as T | undefined) ?? setting
    settings.set(key, shared)
    return shared
  }
  function shareAll<T extends object>(instance: Instance, model: T): T {
    const entries = Object.entries(model).map(([name, value]) =>
      typeof value === 'object' && 'state' in value ? [name, share(instance, name, value)] : [name, value],
    )
    return Object.fromEntries(entries) as T
  }
  return { share, shareAll }
}

export type Sharing = ReturnType<typeof createSharing>
