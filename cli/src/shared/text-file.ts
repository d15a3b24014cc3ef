import { readFileSync, statSync } from 'node:fs'
import { UsageError } from './errors.ts'

/** Reads UTF-8, and UTF-16, which PowerShell 5 writes if output is redirected to a file. */
export function decode(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes)
}

/** Synchronous, because the validation plugins of the CDK are. */
export function readText(file: string): string {
  try {
    return decode(readFileSync(file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new UsageError(`there is no file ${file}`)
    throw new UsageError(code === 'EISDIR' ? `${file} is a folder. Name a file` : `${file} cannot be read (${code})`)
  }
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** The text of a file. Empty if there is none. */
export function readIfFile(path: string): string {
  return isFile(path) ? readFileSync(path, 'utf8') : ''
}
