import { existsSync } from 'node:fs'
import { refuseIf } from './errors.ts'
import { isFile } from './text-file.ts'

/** Splits `file#export`. The path of the file may contain a # itself. */
export function splitExport(text: string) {
  const [, file = text, exportName = 'handler'] = (!existsSync(text) && /^(.*)#([^#/]*)$/s.exec(text)) || []
  refuseIf(exportName === '', `${text} has no name after #: write ${file}#handler, or another export`)
  return { file, exportName }
}

export function checkHandlerFile(file: string): void {
  refuseIf(!isFile(file), `there is no file ${file}`)
  refuseIf(!/\.(m?ts|[cm]?js)$/.test(file), `${file} is not a .ts, .mts, .js, .mjs or .cjs file`)
}

export function isTypeScript(file: string): boolean {
  return /\.m?ts$/.test(file)
}
