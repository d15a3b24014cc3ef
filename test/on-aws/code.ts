import { basename } from 'node:path'
import { build } from 'esbuild'
import { strToU8, zipSync } from 'fflate'

/** The files of the deployed functions, by name: those with and without the SQS client, and an ES module to require. */
export async function codeFiles(): Promise<Record<string, string>> {
  const { outputFiles } = await build({
    entryPoints: { index: `${import.meta.dirname}/functions.ts`, sqs: `${import.meta.dirname}/sqs-functions.ts` },
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    external: ['@aws-sdk/*'], // Lambda has it
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    target: 'node22',
    write: false,
  })
  const bundles = outputFiles.map(({ path, text }) => [basename(path), text])
  return { ...Object.fromEntries(bundles), 'es-module.mjs': 'export const loaded = true\n' }
}

export function zip(files: Record<string, string>): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])))
}
