import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { startDownstream } from './downstream.ts'
import { folder, handlerFile } from './runs.ts'

/** Handlers for `tune`. The first calls DOWNSTREAM_URL. */
export const IO_BOUND = fileURLToPath(new URL('../tune/known/io-bound.ts', import.meta.url))
export const tuned = handlerFile('tuned.ts')

/** The flag for a file with sample messages. */
export function sampleFile(t: Test, lines = ['{"number":1}', '{"number":2}']) {
  const file = join(folder(t), 'sample.jsonl')
  writeFileSync(file, lines.join('\n'))
  return ['--messages-file', file]
}

export async function downstream(t: Test, capacity: number, ms: number) {
  const started = await startDownstream(capacity, ms)
  t.teardown(started.close)
  return started
}
