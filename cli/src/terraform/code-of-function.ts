import { dirname, parse, resolve } from 'node:path'
import type { Code } from '../code-search/search.ts'
import type { Instance, Plan } from './plan.ts'

function textIn({ values = {} }: Plan['data'][number], name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Where the code is: what `archive_file` archives, or the archive. Paths are relative to the folder of the run. */
export function codeOfFunction(instance: Instance, data: Plan['data']): Code {
  const [handler, runtime, filename] = ['handler', 'runtime', 'filename'].map((name) => textIn(instance, name))
  if (filename === undefined) {
    const isImage = textIn(instance, 'image_uri') !== undefined
    const reason = isImage ? 'the code is in a container image' : 'the plan or state does not name a local file'
    return { folder: process.cwd(), reason }
  }
  const archive = data.find((one) => one.type === 'archive_file' && textIn(one, 'output_path') === filename)
  const names = ['source_dir', 'source_file', 'source_content']
  const [folder, file, inline] = names.map((name) => archive && textIn(archive, name))
  if (inline !== undefined) return { inline, handler, runtime }
  const source = folder ?? (file && dirname(file))
  const places = source === undefined ? [filename] : [source, filename]
  const named = file && handler ? `${parse(file).name}.${handler.split('.').at(-1)}` : handler
  return { places: places.map((place) => resolve(place)), handler: named, runtime }
}
