import { build } from 'esbuild'
import t from 'tap'

/** The files of src/ that a bundle of this program contains. */
async function sourcesOf(program: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    write: false,
    metafile: true,
  })
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs))
  const kept = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  return kept.map(([file]) => file).filter((file) => file.startsWith('src/'))
}

t.test('a bundle of the main entry contains no file of src/testing/', async (t) => {
  const sources = await sourcesOf(`export * from '../../src/index.ts'`)
  t.ok(sources.includes('src/middleware.ts'))
  t.strictSame(
    sources.filter((file) => file.startsWith('src/testing/')),
    [],
  )
})

t.test('a bundle of the entry for tests contains only its own files and three shared ones', async (t) => {
  t.strictSame((await sourcesOf(`export * from '../../src/testing/index.ts'`)).sort(), [
    'src/shared/check.ts',
    'src/shared/describe.ts',
    'src/shared/timers.ts',
    'src/testing/context.ts',
    'src/testing/event.ts',
    'src/testing/invoke.ts',
  ])
})
