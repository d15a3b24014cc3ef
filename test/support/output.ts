import type { Test } from 'tap'
import { settled } from './clock.ts'

/** Calls `run` and returns the lines that it wrote by `console.error`, which prints nothing meanwhile. */
export async function logged(run: () => unknown): Promise<string[]> {
  const lines: string[] = []
  const { error } = console
  console.error = (...parts) => {
    lines.push(parts.join(' '))
  }
  try {
    await run()
  } finally {
    console.error = error
  }
  return lines
}

/** The arguments of each call of `console.error()` while `run` runs with this log format of Lambda. */
export async function loggedIn(format: string, run: () => unknown): Promise<unknown[][]> {
  const calls: unknown[][] = []
  const { error } = console
  const { AWS_LAMBDA_LOG_FORMAT } = process.env
  console.error = (...parts) => calls.push(parts)
  process.env.AWS_LAMBDA_LOG_FORMAT = format
  try {
    await run()
  } finally {
    console.error = error
    process.env.AWS_LAMBDA_LOG_FORMAT = AWS_LAMBDA_LOG_FORMAT
    if (AWS_LAMBDA_LOG_FORMAT === undefined) delete process.env.AWS_LAMBDA_LOG_FORMAT
  }
  return calls
}

/** Calls `run` and returns the warnings of the process, which are not printed meanwhile. */
export async function warned(run: () => unknown): Promise<(Error & { code?: string })[]> {
  const warnings: (Error & { code?: string })[] = []
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => warnings.push(warning))
  try {
    await run()
    await settled()
  } finally {
    process.removeAllListeners('warning')
    for (const listener of listeners) process.on('warning', listener)
  }
  return warnings
}

/** The unhandled rejections of the process until the test ends. */
export function unhandledRejections(t: Test): unknown[] {
  const unhandled: unknown[] = []
  function note(error: unknown): void {
    unhandled.push(error)
  }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  return unhandled
}
