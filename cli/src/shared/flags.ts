import { UsageError } from './errors.ts'

export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function refuseIf(condition: unknown, message: string) {
  if (condition) throw new UsageError(message)
}
