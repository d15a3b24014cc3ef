/** Writes dist/tune/report/charts.js: the code that draws the charts, with Vega, for the page of `tune --report`. */
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { logger, Warn } from 'vega'
import { compile } from 'vega-lite'
import { specs } from './specs.ts'

const OUTPUT = resolve(import.meta.dirname, '../dist/tune/report/charts.js')

/**
 * Warnings of Vega-Lite that are expected: each chart with a fixed row height and a flexible width causes the first one.
 * The second one says that an axis contains both ends of an interval, which is intended.
 */
const EXPECTED_WARNINGS = ['because spec has discrete height', 'Using the union of the two domains']

// Vega-Lite runs here, so the page contains only Vega.
const compiled = Object.fromEntries(
  Object.entries(specs).map(([id, spec]) => [id, compile(spec, { logger: strictLogger() }).spec]),
)

const { outputFiles, metafile } = await build({
  stdin: {
    contents: `import { draw } from './page.ts'\ndraw(${JSON.stringify(compiled)})`,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  legalComments: 'none',
  charset: 'utf8',
  metafile: true,
  write: false,
})
const code = outputFiles[0]?.text ?? ''
const asset = `/*\n${licences(Object.keys(metafile.inputs))}\n*/\n${code}`
// The page has this code in a script element. The browser ends the element at these texts.
if (/<\/script|<!--/i.test(asset)) throw new Error('expected the code of the charts without </script and <!--')
await writeFile(OUTPUT, asset)

/** Fails on any other warning of Vega-Lite. */
function strictLogger() {
  return Object.assign(logger(Warn), {
    warn(message: string) {
      if (!EXPECTED_WARNINGS.some((expected) => message.includes(expected))) throw new Error(`Vega-Lite: ${message}`)
    },
  })
}

/** The licences of the bundled packages. They require that their text is distributed with the code. */
function licences(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  const packagesOf = Map.groupBy(folders, licenceOf)
  const texts = Array.from(packagesOf, ([text, folders]) => `${folders.map(nameOf).join(', ')}:\n\n${text}`)
  return texts.join('\n\n---\n\n').replaceAll('*/', '* /')
}

function licenceOf(folder: string): string {
  const file = readdirSync(folder).find((name) => /^(un)?licen[cs]e/i.test(name))
  if (!file) throw new Error(`expected a licence file in ${folder}, received ${readdirSync(folder).join(', ')}`)
  return readFileSync(join(folder, file), 'utf8').trim()
}

function nameOf(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return `${name} ${version}`
}
