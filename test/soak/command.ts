import type { Check } from './account.ts'

export function wholeNumber(option: string, value: string, min: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= min) return number
  throw new Error(`${option} must be a whole number, ${min} or more, not ${value}`)
}

/** Prints the checks. The process exits with 1 if one does not hold. */
export function reportChecks(checks: readonly Check[]): void {
  for (const { what, holds, found } of checks) console.log(`${holds ? 'ok' : 'FAILED'}: ${what} (${found})`)
  const failed = checks.filter(({ holds }) => !holds).length
  console.log(failed === 0 ? 'passed' : `failed: ${failed} of ${checks.length} checks`)
  if (failed > 0) process.exitCode = 1
}
