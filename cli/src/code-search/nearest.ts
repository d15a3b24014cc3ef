import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The nearest file of this name, in a folder or above it. Node searches package.json in the same way. */
export function nearest(folder: string, name: string): string | undefined {
  const file = join(folder, name)
  if (existsSync(file)) return file
  return folder === dirname(folder) ? undefined : nearest(dirname(folder), name)
}
