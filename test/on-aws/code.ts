import { build } from 'esbuild'
import { strToU8, zipSync } from 'fflate'

/** The files of the deployed functions, by name: `functions.ts` with this package, and an ES module to require. */
export async function codeFiles(): Promise<Record<string, string>> {
  const { outputFiles } = await build({
    entryPoints: [`${import.meta.dirname}/functions.ts`],
    bundle: true,
    external: ['@aws-sdk/*'], // Lambda has it
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    target: 'node22',
    write: false,
  })
  return { 'index.mjs': outputFiles[0]?.text ?? '', 'es-module.mjs': 'export const loaded = true\n' }
}

export function zip(files: Record<string, string>): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])))
}
