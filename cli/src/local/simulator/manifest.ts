import { dirname, relative, resolve } from 'node:path'
import { nearest } from '../../code-search/nearest.ts'
import { parseObject } from '../../shared/json.ts'
import { readIfFile } from '../../shared/text-file.ts'

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
