/** Line and column, counted from 1. The position of a value in a map is the position of its key. */
export interface Position {
  line: number
  column: number
  /** The template, if it is not the one of the model: another stack of the same CDK app. */
  file?: string
  /** The key of a value in JSON text, such as a redrive policy. Its values have the same line and column. */
  key?: string
}

export interface Resource {
  /** Its logical id in a template, its address in Terraform, or its name if it is deployed. */
  id: string
  position?: Position | undefined
  /** Why the resource could not be read, for example because it is in another stack. */
  unreadReason?: string | undefined
  /** What to do about its settings, if nobody can set them. */
  fix?: string | undefined
}

export type Scalar = string | number | boolean

export interface Origin {
  position?: Position | undefined
  /** The same for all resources that get the value from the same place: they get one finding. */
  id?: string
  /** The section that sets it, if the resource itself does not: Globals of SAM. */
  section?: string
}

/** A value of an input. `absent` means that it is not set, and of a setting that AWS has no default. */
export type Setting<T> = (
  | { state: 'known'; value: T; isDefault?: true; fix?: undefined }
  | { state: 'absent'; fix?: undefined }
  /**
   * `fix` is present if AWS rejects the value. It says what to set instead. `text` has placeholders for its unknown
   * parts. `missing` is a resource that does not exist.
   */
  | { state: 'unknown'; reason: string; fix?: string; text?: string; missing?: string }
) &
  Origin

export function known<T>(value: T, position?: Position): Setting<T> {
  return { state: 'known', value, position }
}

export const absent = { state: 'absent' } as const

export function unknown(reason: string, position?: Position) {
  return { state: 'unknown', reason, position } as const
}

export function invalid(reason: string, fix: string, position?: Position) {
  return { ...unknown(reason, position), fix }
}

export function valueIn<T>(setting: Setting<T>): T | undefined {
  return setting.state === 'known' ? setting.value : undefined
}

/** The setting with this id, if it has none. */
export function withId<T>(id: string, setting: Setting<T>): Setting<T> {
  return setting.id === undefined ? { ...setting, id } : setting
}

/** Identifies a setting: it gets one finding. Undefined if nothing shows that two resources share it. */
export function idOf({ state, id, position }: Setting<unknown>): string | undefined {
  if (state === 'absent') return undefined
  if (id !== undefined || position === undefined) return id
  const { file = '', line, column, key = '' } = position
  return `${file}:${line}:${column}:${key}`
}
