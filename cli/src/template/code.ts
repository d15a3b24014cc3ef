import { existsSync } from 'node:fs'
import { basename, resolve as resolvePath } from 'node:path'
import type { Code } from '../code/source.ts'
import type { Reader } from './reader.ts'
import { itemsOf, type Resolved, rawText } from './resolve.ts'
import { placeholdersIn, readable, resourceOf } from './text.ts'

const ELSEWHERE = 'the template does not say which local file it is'

function scalar(resolved: Resolved): string | undefined {
  return resolved.kind === 'scalar' ? readable(String(resolved.value)) : undefined
}

/** Returns where the code of a function is. `propertyOf` returns a property of the function, or of Globals. */
export function codeOf(reader: Reader, id: string, propertyOf: (...path: string[]) => Resolved): Code {
  const { property, resolve, metadataOf, typeOf, folder } = reader
  const metadata = (...path: string[]) => path.reduce(property, metadataOf(id))
  const runtime = scalar(propertyOf('Runtime'))
  const handler = scalar(propertyOf('Handler'))
  const inline = scalar(propertyOf('InlineCode')) ?? scalar(propertyOf('Code', 'ZipFile'))
  if (inline !== undefined) return { inline, handler, runtime }
  if (scalar(propertyOf('PackageType')) === 'Image' || propertyOf('ImageUri').kind !== 'absent') {
    const context = scalar(metadata('DockerContext'))
    const image = { folder, reason: 'it is in a container image' }
    return context === undefined ? image : { ...image, places: [resolvePath(folder, context)] }
  }
  // Without CodeUri, SAM uses the folder of the template.
  const isInFolder = typeOf(id) === 'AWS::Serverless::Function' && propertyOf('CodeUri').kind === 'absent'
  const own = scalar(metadata('aws:asset:path')) ?? scalar(propertyOf('CodeUri')) ?? scalar(propertyOf('Code'))
  const path = own ?? (isInFolder ? '.' : undefined)
  const key = scalar(propertyOf('Code', 'S3Key')) ?? scalar(propertyOf('CodeUri', 'Key')) ?? path
  const beside = key === undefined ? [] : placesBeside(basename(key))
  const local = path === undefined || path.startsWith('s3:') ? [] : [path]
  // The source of an archive of Maven or Gradle is beside the folder of the output.
  const projects = local.map((archive) => archive.replace(/(^|\/)(target|build)\/[^/]+\.(jar|zip)$/, '') || '.')
  const places = [...local, ...beside, ...projects]
  const isLocal = local.length > 0 || places.some((place) => existsSync(resolvePath(folder, place)))
  const method = scalar(metadata('BuildMethod'))
  const isBuilt = method !== undefined && !method.startsWith('nodejs')
  const entries = itemsOf(metadata('BuildProperties', 'EntryPoints')).flatMap((item) => scalar(resolve(item)) ?? [])
  return {
    places: [...new Set(places.map((place) => resolvePath(folder, place)))],
    layers: layersOf(reader, propertyOf('Layers')),
    handler,
    runtime,
    entries,
    folder,
    ...(isBuilt || entries.length > 0 ? { isBuilt: true } : {}),
    ...(isLocal ? {} : { reason: ELSEWHERE }),
  }
}

/** The folders of the layers in this template. */
function layersOf({ property, propertiesOf, resolve, folder }: Reader, layers: Resolved): string[] {
  return itemsOf(layers).flatMap((item) => {
    const [id = ''] = placeholdersIn(rawText(resolve(item))).map(resourceOf)
    const path = scalar(property(propertiesOf(id), 'ContentUri')) ?? scalar(property(propertiesOf(id), 'Content'))
    return path === undefined ? [] : [resolvePath(folder, path)]
  })
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
