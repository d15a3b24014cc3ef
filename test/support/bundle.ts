import { build } from 'esbuild'

/** The files of src/ that a bundle of this program contains. Its imports are relative to test/support/. */
export async function sourcesOf(program: string): Promise<string[]> {
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
