import { existsSync } from 'node:fs'
import { UsageError } from './errors.ts'

/** The signals that end a run. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A user may expect that all systems are imitated, but only SQS and Lambda are. */
export const REAL_CALLS_WARNING = 'warning: the handler really runs'

export function refuseIf(condition: unknown, message: string) {
  if (condition) throw new UsageError(message)
}

/** Splits `file#export`. The path of the file may contain a # itself. */
export function splitExport(text: string) {
  const hash = existsSync(text) ? -1 : text.search(/#[^#/]*$/)
  const file = hash === -1 ? text : text.slice(0, hash)
  const exportName = hash === -1 ? 'handler' : text.slice(hash + 1)
  refuseIf(exportName === '', `${text} has no name after #: write ${file}#handler, or another export`)
  return { file, exportName }
}
