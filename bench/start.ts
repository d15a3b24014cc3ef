// What a function pays at its start: whole processes that make a handler and end, from node_modules and bundled.
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { OURS } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'

export interface Start {
  /** Milliseconds a process, by entry. */
  readonly installed: Samples
  readonly bundled: Samples
  /** Bytes of the bundles. */
  readonly sizes: Readonly<Record<string, { readonly minified: number; readonly gzipped: number }>>
}

/** What is in all of them, and so is taken off. */
export const CORE = '@middy/core alone'

const ENTRIES: Record<string, string> = {
  [CORE]: 'middy',
  [OURS]: 'bounded-sqs-batch',
  'Middy idiom': 'middy-idiom',
  Powertools: 'powertools',
}

export async function measureStart(isShort: boolean): Promise<Start> {
  const names = Object.keys(ENTRIES)
  const sources = join(import.meta.dirname, 'entries')
  const bundles = join(import.meta.dirname, 'node_modules', '.cache', 'bundles')
  await rm(bundles, { recursive: true, force: true })
  await build({
    entryPoints: names.map((name) => join(sources, `${ENTRIES[name]}.js`)),
    outdir: bundles,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
  })
  const sizes = Object.fromEntries(
    await Promise.all(
      names.map(async (name) => {
        const code = await readFile(join(bundles, `${ENTRIES[name]}.mjs`))
        return [name, { minified: code.length, gzipped: gzipSync(code, { level: 9 }).length }]
      }),
    ),
  )

  const time = (file: (entry: string) => string) => async (name: string) => {
    const start = performance.now()
    await promisify(execFile)(process.execPath, [file(ENTRIES[name] as string)])
    return performance.now() - start
  }
  const options = { rounds: isShort ? 21 : 81, warmUp: 2 }
  return {
    installed: await inRounds(
      names,
      { ...options, title: 'start from node_modules' },
      time((entry) => join(sources, `${entry}.js`)),
    ),
    bundled: await inRounds(
      names,
      { ...options, title: 'start of a bundle' },
      time((entry) => join(bundles, `${entry}.mjs`)),
    ),
    sizes,
  }
}
