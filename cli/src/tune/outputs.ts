import { closeSync, existsSync, openSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { importsOf } from '../code/imports.ts'
import { UsageError } from '../shared/errors.ts'
import { refuseIf } from '../shared/flags.ts'
import { parseObject } from '../shared/json.ts'
import { GENERATOR } from './report/html.ts'
import { isFromSample } from './sample.ts'

interface Files {
  payload?: string
  report?: string
  messagesFile: string
  template?: string
  envFrom?: string
}

/**
 * Refuses outputs that cannot be written, now and not after a long run. Also refuses an output that would overwrite an
 * input, a module that the handler imports, the other output, or any file that `tune` has not written. Changes no file,
 * and leaves no new one.
 */
export function checkOutputs({ payload, report, messagesFile, template, envFrom }: Files, handler: string): void {
  const inputs = {
    'the handler': handler,
    '--messages-file': messagesFile === '-' ? '/dev/stdin' : messagesFile, // `< FILE` can redirect it
    '--template': template,
    '--env-from': envFrom,
  }
  const outputs = [
    { flag: '--payload', file: payload, isOurs: isPayload, what: 'is an output of tune, and not an input' },
    { flag: '--report', file: report, isOurs: isReport, what: 'is an HTML page' },
  ]
  const uses = new Map<string | symbol, string>()
  for (const file of importedFiles(handler)) uses.set(idOf(file), `${file}, which the handler imports`)
  for (const [use, file] of Object.entries(inputs)) if (file !== undefined) uses.set(idOf(file), `${use} ${file}`)
  const created: string[] = []
  try {
    for (const { flag, file, isOurs, what } of outputs) {
      if (file === undefined) continue
      const existed = existsSync(file)
      useOutput(flag, file, () => {
        closeSync(openSync(file, 'a'))
        if (!existed) created.push(realpathSync(file)) // the target of a link, and not the link
      })
      const other = uses.get(idOf(file))
      refuseIf(other, `${flag} ${file} would overwrite ${other}: both are the same file. Name another file`)
      const earlier = existed ? textAt(file) : undefined
      refuseIf(
        earlier !== undefined && !isOurs(earlier),
        `${flag} ${file} would overwrite a file that tune has not written. ${flag} ${what}: name a new file, or delete this one`,
      )
      uses.set(idOf(file), `${flag} ${file}`)
    }
  } finally {
    for (const file of created) rmSync(file)
  }
}

/** Writes or checks an output. Says which flag is wrong if that fails. */
export function useOutput(flag: string, file: string, use: (file: string) => void): void {
  try {
    use(file)
  } catch (error) {
    throw new UsageError(`${flag} ${file} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** Identifies a file also if there are links to it. Something else, such as `/dev/null`, can have several uses. */
function idOf(file: string): string | symbol {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats?.isFile() ? `${stats.dev}:${stats.ino}` : Symbol(file)
}

/**
 * The files that the handler imports by a relative path, and those that they import. Files of a package need no search,
 * because `tune` has not written them.
 */
function importedFiles(handler: string): Set<string> {
  const files = new Set([resolve(handler)])
  for (const file of files) {
    const text = textAt(file)
    if (text === undefined) continue // the handler does not exist
    for (const other of importsOf(file, text)) files.add(other)
  }
  return files
}

function textAt(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, 'utf8') : undefined
}

function isPayload(text: string): boolean {
  const records = parseObject(text)?.Records
  return Array.isArray(records) && records.length > 0 && records.every(isFromSample)
}

function isReport(text: string): boolean {
  return text.includes(`<meta name="generator" content="${GENERATOR}">`)
}
