import { existsSync } from 'node:fs'
import { basename, resolve as resolvePath } from 'node:path'
import type { Modules } from '../code/commonjs.ts'
import type { Code } from '../code/source.ts'
import { openTree } from '../code/tree.ts'
import type { Reader } from './reader.ts'
import type { Resolved } from './resolve.ts'
import { readable } from './text.ts'

/** A name or a pattern of esbuild that names this package. */
const PACKAGE = /^(middy-bounded-sqs-batch|\*)/

const ELSEWHERE = 'the template does not say which local file it is'
const IN_IMAGE: Code = { reason: 'it is in a container image' }

function scalar(resolved: Resolved): string | undefined {
  return resolved.kind === 'scalar' ? readable(String(resolved.value)) : undefined
}

/** Returns where the code of a function is. `propertyOf` returns a property of the function, or of Globals. */
export function codeOf(reader: Reader, id: string, propertyOf: (...path: string[]) => Resolved): Code {
  const { property, resolve, metadataOf, folder } = reader
  const metadata = (...path: string[]) => path.reduce(property, metadataOf(id))
  const runtime = scalar(propertyOf('Runtime'))
  const handler = scalar(propertyOf('Handler'))
  const inline = scalar(propertyOf('InlineCode')) ?? scalar(propertyOf('Code', 'ZipFile'))
  if (inline !== undefined) return { inline, handler, runtime }
  if (scalar(propertyOf('PackageType')) === 'Image' || propertyOf('ImageUri').kind !== 'absent') {
    return imageCode(folder, scalar(metadata('DockerContext')), scalar(metadata('Dockerfile')))
  }
  const textsIn = (list: Resolved) =>
    list.kind === 'list' ? list.items.flatMap((item) => scalar(resolve(item)) ?? []) : []
  const entries = metadata('BuildProperties', 'EntryPoints')
  /** What the build of SAM makes of imports. With esbuild, it always bundles, except what `External` names. */
  function buildOf(method: string | undefined, properties: Resolved): Modules | undefined {
    if (method === undefined || /^(nodejs|python|ruby|java|dotnet|go)/.test(method)) return undefined
    if (method !== 'esbuild') return { reason: `BuildMethod is ${method}` }
    const isExternal = textsIn(property(properties, 'External')).some((name) => PACKAGE.test(name))
    return isExternal && scalar(property(properties, 'Format')) !== 'esm' ? 'require' : 'import'
  }
  const asset = scalar(metadata('aws:asset:path'))
  const path = asset ?? scalar(propertyOf('CodeUri')) ?? scalar(propertyOf('Code'))
  const key = scalar(propertyOf('Code', 'S3Key')) ?? scalar(propertyOf('CodeUri', 'Key')) ?? path
  const beside = key === undefined ? [] : placesBeside(basename(key))
  const local = path === undefined || path.startsWith('s3:') ? [] : [path]
  // If Maven or Gradle has not yet built the archive, its source is beside the folder of the output.
  const projects = local.map((archive) => archive.replace(/(^|\/)(target|build)\/[^/]+\.(jar|zip)$/, ''))
  const places = [...local, ...beside, ...(runtime?.startsWith('java') ? projects : [])]
  const isLocal = local.length > 0 || places.some((place) => existsSync(resolvePath(folder, place)))
  return {
    places: [...new Set(places.map((place) => resolvePath(folder, place)))],
    handler,
    runtime,
    entries: textsIn(entries),
    build: buildOf(scalar(metadata('BuildMethod')), metadata('BuildProperties')),
    ...(isLocal ? {} : { reason: ELSEWHERE }),
  }
}

/**
 * Where the file of a key may be. After packaging, only the key in the bucket is left. The CDK and the Serverless
 * Framework keep the files beside the template, under the same name.
 */
function placesBeside(name: string): string[] {
  const assets = [`asset.${name}`, `asset.${name.replace(/\.\w+$/, '')}`]
  // The assets of a stage of the CDK are in the folder around that of its templates.
  return [name, ...assets, ...assets.map((asset) => `../${asset}`)]
}

/** The code of a container image that SAM builds: the context of its Dockerfile, whose CMD names the handler. */
function imageCode(folder: string, context: string | undefined, dockerfile = 'Dockerfile'): Code {
  if (context === undefined) return IN_IMAGE
  const place = resolvePath(folder, context)
  const handler = openTree(place)
    ?.read(dockerfile)
    ?.match(/^CMD\s*\[\s*"([^"]+)"/m)?.[1]
  return handler === undefined ? IN_IMAGE : { places: [place], handler }
}
