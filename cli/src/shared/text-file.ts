import { readFileSync, statSync } from 'node:fs'
import { UsageError } from './errors.ts'

/** UTF-8, or UTF-16, which PowerShell 5 writes if output is redirected to a file. */
export function encodingOf(bytes: Uint8Array): string {
  return bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8'
}

export function decode(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes)
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
