import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { folder } from './runs.ts'

/** Writes files to a temporary folder, and returns its path. */
export function filesIn(t: Test, files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = folder(t)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}
