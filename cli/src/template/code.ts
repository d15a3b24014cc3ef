import { existsSync } from 'node:fs'
import { basename, resolve as resolvePath } from 'node:path'
import type { Code } from '../code-search/search.ts'
import { attributeOf, property, textsOf, typeOf } from './reader.ts'
import { type Resolved, rawText, type Scope } from './resolve.ts'
import { readable } from './text.ts'

const ELSEWHERE = 'the template does not say which local file has the code'

function textAt(resolved: Resolved): string | undefined {
  return resolved.kind === 'scalar' ? readable(rawText(resolved)) : undefined
}

/** Where the code of a function is. `propertyOf` returns a property of the function, or of Globals. */
export function codeOfFunction(
  scope: Scope,
  id: string,
  propertyOf: (...path: [string, ...string[]]) => Resolved,
): Code {
  const { folder } = scope
  const metadata = (...path: [string, ...string[]]) => property(scope, attributeOf(scope, id, 'Metadata'), ...path)
  const runtime = textAt(propertyOf('Runtime'))
  const handler = textAt(propertyOf('Handler'))
  const inline = textAt(propertyOf('InlineCode')) ?? textAt(propertyOf('Code', 'ZipFile'))
  if (inline !== undefined) return { inline, handler, runtime }
  if (textAt(propertyOf('PackageType')) === 'Image' || propertyOf('ImageUri').kind !== 'absent') {
    const context = textAt(metadata('DockerContext'))
    const image = { folder, reason: 'the code is in a container image' }
    return context === undefined ? image : { ...image, places: [resolvePath(folder, context)] }
  }
  // Without CodeUri, SAM uses the folder of the template.
  const isInFolder = typeOf(scope, id) === 'AWS::Serverless::Function' && propertyOf('CodeUri').kind === 'absent'
  const own = textAt(metadata('aws:asset:path')) ?? textAt(propertyOf('CodeUri')) ?? textAt(propertyOf('Code'))
  const key = textAt(propertyOf('Code', 'S3Key')) ?? textAt(propertyOf('CodeUri', 'Key')) ?? own
  const beside = key === undefined ? [] : placesBeside(basename(key))
  const path = own ?? (isInFolder ? folder : undefined)
  const local = path === undefined || path.startsWith('s3:') ? [] : [path]
  // The Serverless Framework packages the folder around that of its output.
  const places = [...local, ...beside, ...(basename(folder) === '.serverless' ? ['..'] : [])]
  const isLocal = local.length > 0 || places.some((place) => existsSync(resolvePath(folder, place)))
  const method = textAt(metadata('BuildMethod'))
  const isBuilt = method !== undefined && !method.startsWith('nodejs')
  const entries = textsOf(scope, metadata('BuildProperties', 'EntryPoints'))
  return {
    places: [...new Set(places.map((place) => resolvePath(folder, place)))],
    handler,
    runtime,
    entries,
    folder,
    ...(isBuilt || entries.length > 0 ? { isBuilt: true } : {}),
    ...(isLocal ? {} : { reason: ELSEWHERE }),
  }
}

/**
 * Where the files of a key may be. After packaging, only the key in the bucket is left. The CDK keeps the files beside
 * the template, under the same name.
 */
function placesBeside(name: string): string[] {
  const assets = [`asset.${name}`, `asset.${name.replace(/\.\w+$/, '')}`]
  // The assets of a stage of the CDK are in the folder around that of its templates.
  return [name, ...assets, ...assets.map((asset) => `../${asset}`)]
}
