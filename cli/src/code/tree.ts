import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { strFromU8, unzipSync } from 'fflate'

/** The files of a function: those of a folder, of an archive, or one text. Paths have slashes, and no `./`. */
export interface Tree {
  /** The text of a file. Binary files are read as Latin-1. Undefined if there is no such file. */
  read(path: string): string | undefined
  paths(): readonly string[]
}

const NEVER_SEARCHED = /(^|\/)(node_modules|\.git|\.aws-sam|cdk\.out|\.venv|__pycache__|test|tests)(\/|$)|\.d\.[cm]?ts$/
/** More files than any function has that is searched by the name of a class. */
const MAX_FILES = 20_000

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString(bytes.includes(0) ? 'latin1' : 'utf8')
}

function folderTree(root: string, maxFiles: number): Tree {
  function list(folder: string, found: string[] = []): string[] {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (NEVER_SEARCHED.test(path) || found.length >= maxFiles) continue
      if (entry.isDirectory()) list(path, found)
      else found.push(path)
    }
    return found
  }
  function read(path: string): string | undefined {
    const file = join(root, path)
    return !NEVER_SEARCHED.test(path) && statSync(file, { throwIfNoEntry: false })?.isFile()
      ? textOf(readFileSync(file))
      : undefined
  }
  let paths: string[] | undefined
  return { read, paths: () => (paths ??= list('')) }
}

/** An archive: .zip or .jar. Libraries in it are archives themselves, and are not searched. */
function archiveTree(file: string): Tree {
  const bytes = readFileSync(file)
  const all: string[] = []
  unzipSync(bytes, {
    filter: ({ name }) => {
      all.push(name)
      return false
    },
  })
  const names = all.filter((name) => !NEVER_SEARCHED.test(name) && !name.endsWith('/'))
  function read(path: string): string | undefined {
    if (!names.includes(path)) return undefined
    const content = unzipSync(bytes, { filter: ({ name }) => name === path })[path]
    return content && (content.includes(0) ? strFromU8(content, true) : strFromU8(content))
  }
  return { read, paths: () => names }
}

/** The files at a path. Undefined if there is nothing, or something that is neither a folder nor an archive. */
export function openTree(path: string, maxFiles = MAX_FILES): Tree | undefined {
  if (!existsSync(path)) return undefined
  if (statSync(path).isDirectory()) return folderTree(path, maxFiles)
  try {
    return archiveTree(path)
  } catch {
    // It is not an archive.
  }
  return undefined
}
