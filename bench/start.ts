// What a function pays at its start: the import of what makes its handler, and whole processes that make it and end.
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { OURS } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'

export interface Start {
  /** Milliseconds of an import from node_modules, beyond @middy/core's, by entry. Older results lack it. */
  readonly imported?: Samples
  /** Milliseconds a process. */
  readonly installed: Samples
  readonly bundled: Samples
  /** Bytes of the bundles. */
  readonly sizes: Readonly<Record<string, { readonly minified: number; readonly gzipped: number }>>
}

/** All of them make a handler of @middy/core's. */
const ENTRIES: Record<string, string> = {
  '@middy/core alone': 'middy',
  [OURS]: 'bounded-sqs-batch',
  'Middy idiom': 'middy-idiom',
  Powertools: 'powertools',
}

export async function measureStart(isShort: boolean): Promise<Start> {
  const names = isShort ? [OURS, 'Powertools'] : Object.keys(ENTRIES)
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

  const run = async (...args: string[]) => (await promisify(execFile)(process.execPath, args)).stdout
  const source = (name: string) => join(sources, `${ENTRIES[name]}.js`)
  const time = (file: (name: string) => string) => async (name: string) => {
    const start = performance.now()
    await run(file(name))
    return performance.now() - start
  }
  const inProcesses = (title: string, sample: (name: string) => Promise<number>) =>
    inRounds(names, { rounds: isShort ? 21 : 81, warmUp: 2, title }, sample)
  return {
    // Not the difference of two processes: that is small beside what disturbs either.
    imported: await inProcesses('import', async (name) =>
      Number(await run(join(import.meta.dirname, 'start-client.js'), source(name))),
    ),
    installed: await inProcesses('start from node_modules', time(source)),
    bundled: await inProcesses(
      'start of a bundle',
      time((name) => join(bundles, `${ENTRIES[name]}.mjs`)),
    ),
    sizes,
  }
}
