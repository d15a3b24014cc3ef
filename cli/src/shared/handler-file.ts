import { existsSync, statSync } from 'node:fs'
import { refuseIf } from './errors.ts'

/** Splits `file#export`. The path of the file may contain a # itself. */
export function splitExport(text: string) {
  const hash = existsSync(text) ? -1 : text.search(/#[^#/]*$/)
  const file = hash === -1 ? text : text.slice(0, hash)
  const exportName = hash === -1 ? 'handler' : text.slice(hash + 1)
  refuseIf(exportName === '', `${text} has no name after #: write ${file}#handler, or another export`)
  return { file, exportName }
}

export function checkHandlerFile(file: string): void {
  refuseIf(!statSync(file, { throwIfNoEntry: false })?.isFile(), `there is no file ${file}`)
  refuseIf(!/\.(m?ts|[cm]?js)$/.test(file), `${file} is not a .ts, .mts, .js, .mjs or .cjs file`)
}

export function isTypeScript(file: string): boolean {
  return /\.m?ts$/.test(file)
}
