import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Code } from '../code-search/search.ts'
import { readable } from '../model/partial-text.ts'
import { at, type Tree, textIn, textsOf } from '../model/tree.ts'

const ELSEWHERE = 'the template does not say which local file has the code'

/** The text at a path, also if parts of it are unknown. Undefined if there is none. */
function textAt(tree: Tree, ...path: readonly string[]): string | undefined {
  const text = readable(textIn(at(tree, ...path)))
  return text === '' ? undefined : text
}

/** Where the code of a function is. SAM uses the folder of the template if there is no CodeUri. */
export function codeOfFunction(folder: string, isOfSam: boolean, properties: Tree, metadata: Tree): Code {
  const [runtime, handler] = [textAt(properties, 'Runtime'), textAt(properties, 'Handler')]
  const inline = textAt(properties, 'InlineCode') ?? textAt(properties, 'Code', 'ZipFile')
  if (inline !== undefined) return { inline, handler, runtime }
  if (textAt(properties, 'PackageType') === 'Image' || at(properties, 'ImageUri').state !== 'absent') {
    return { folder, reason: 'the code is in a container image' }
  }
  const { state } = at(properties, 'CodeUri')
  const declared = ['CodeUri', 'Code'].map((name) => textAt(properties, name)).find((text) => text !== undefined)
  const own = textAt(metadata, 'aws:asset:path') ?? declared
  const key = textAt(properties, 'Code', 'S3Key') ?? textAt(properties, 'CodeUri', 'Key') ?? own
  const beside = key === undefined ? [] : placesBeside(basename(key))
  const path = own ?? (isOfSam && state === 'absent' ? folder : undefined)
  const local = path === undefined || path.startsWith('s3:') ? [] : [path]
  // The Serverless Framework packages the folder around that of its output.
  const places = [...local, ...beside, ...(basename(folder) === '.serverless' ? ['..'] : [])]
  const isLocal = local.length > 0 || places.some((place) => existsSync(resolve(folder, place)))
  const method = textAt(metadata, 'BuildMethod')
  const entries = textsOf(at(metadata, 'BuildProperties', 'EntryPoints'))
  const isBuilt = entries.length > 0 || (method !== undefined && !method.startsWith('nodejs'))
  const paths = [...new Set(places.map((place) => resolve(folder, place)))]
  const more = { ...(isBuilt ? { isBuilt } : {}), ...(isLocal ? {} : { reason: ELSEWHERE }) }
  return { places: paths, handler, runtime, entries, folder, ...more }
}

/** Where the files of a key in a bucket may be. The CDK keeps them beside the template, under the same name. */
function placesBeside(name: string): string[] {
  const assets = [`asset.${name}`, `asset.${name.replace(/\.\w+$/, '')}`]
  // The assets of a stage of the CDK are in the folder around that of its templates.
  return [name, ...assets, ...assets.map((asset) => `../${asset}`)]
}
