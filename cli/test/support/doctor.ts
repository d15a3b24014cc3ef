import type { Test } from 'tap'
import { detect, type Finding, type ReadInput } from '../../src/doctor/check.ts'
import { type DoctorFlags, doctor } from '../../src/doctor/doctor.ts'

/** The findings of an input, as JSON has them. */
export function check(input: ReadInput): Finding[] {
  return JSON.parse(JSON.stringify(detect(input).map(({ finding }) => finding)))
}

/** Runs `doctor` in this process, which is faster than the command. Returns what it prints. */
export async function runDoctor(t: Test, files: readonly string[], flags: Partial<DoctorFlags> = {}) {
  const log = t.capture(console, 'log')
  const error = t.capture(console, 'error', () => {})
  const code = await doctor(files, { format: 'text', ...flags })
  log.restore()
  error.restore()
  const print = (lines: readonly unknown[][]) => lines.map((args) => `${args.join(' ')}\n`).join('')
  return { code, stdout: print(log.args()), stderr: print(error.args()) }
}
