/** The TypeScript of a page that needs the packages of test/integrations. */
import { execFileSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryFolder } from './folder.ts'
import { read } from './pages.ts'

const root = join(import.meta.dirname, '../..')
const FRAGMENT = /^<!-- fragment: test\/integrations runs it as (\S+\.ts) -->\n```ts\n([\s\S]*?)^```$/gm

/** A folder with the files that a page names before its fragments. Fragments with the same name are one file. */
export function folderOf(t: Test, page: string): string {
  const files: Record<string, string> = {}
  for (const [, name = '', code = ''] of read(page).matchAll(FRAGMENT)) files[name] = (files[name] ?? '') + code
  if (Object.keys(files).length === 0) throw new Error(`Expected fragments for test/integrations in ${page}`)
  const folder = temporaryFolder(t, files)
  symlinkSync(join(root, 'test/integrations/node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Compiles the files of a folder. Throws if there is an error. */
export function compile(folder: string): void {
  const compilerOptions = { noUnusedParameters: false } // a sample also shows parameters that it does not use
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  // The shell removes NODE_OPTIONS, because tap's hooks break the compiler.
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, join(root, 'node_modules/typescript/bin/tsc')]
  execFileSync('sh', [...shell, '-p', folder], { encoding: 'utf8', stdio: 'pipe' })
}
