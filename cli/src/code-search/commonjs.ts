import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseObject } from '../shared/json.ts'
import { readIfFile } from '../shared/text-file.ts'

/** The nearest file of this name, in a folder or above it. Node searches package.json in the same way. */
export function nearest(folder: string, name: string): string | undefined {
  const file = join(folder, name)
  if (existsSync(file)) return file
  return folder === dirname(folder) ? undefined : nearest(dirname(folder), name)
}

function isOfModules(manifest: string): boolean {
  return parseObject(readIfFile(manifest))?.type === 'module'
}

/**
 * The package.json above `folder` that makes a `.js` file in it an ES module. Undefined if a package.json
 * in `folder` decides about the file, if the file is elsewhere, or if it is not an ES module.
 */
export function manifestAbove(folder: string, file: string): string | undefined {
  const isOutside = (path: string) => relative(folder, path).startsWith('..')
  const path = resolve(file)
  if (!path.endsWith('.js') || isOutside(path)) return undefined
  const manifest = nearest(dirname(path), 'package.json')
  if (manifest === undefined || !isOutside(manifest)) return undefined
  return isOfModules(manifest) ? manifest : undefined
}
