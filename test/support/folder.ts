import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

const parent = join(import.meta.dirname, '../../.tap/folders')

/**
 * A new folder with these files. It is removed when the test ends. It is inside the repository, so that its files find
 * the package and its dependencies. Unlike `t.testdir()`, two runs of a test at the same time do not share it.
 */
export function temporaryFolder(t: Test, files: Record<string, string> = {}): string {
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}
