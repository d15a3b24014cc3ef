/**
 * Packs the package of a tag for npm:
 *
 *     GITHUB_REPOSITORY=owner/name node scripts/pack-release.ts <package>@<version> <folder>
 *
 * The manifest in the tarball names the public repository. The links of the README lead there, because npm's page shows
 * the README without the files around it. Also writes notes.md, the text of the GitHub release. Prints the path
 * of the tarball.
 */
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { absoluteLinks } from './absolute-links.ts'

const ROOT = resolve(import.meta.dirname, '..')
/** The folder of each package, relative to the root. */
const FOLDERS = new Map([
  ['middy-bounded-sqs-batch', ''],
  ['bounded-sqs-batch', 'cli'],
])

type Manifest = Record<string, unknown>

if (import.meta.main) {
  const [tag = '', into = ''] = process.argv.slice(2)
  try {
    if (!into) throw new Error('expected two arguments: <package>@<version> and the folder for the tarball')
    console.log(packRelease(tag, process.env.GITHUB_REPOSITORY ?? '', resolve(into)))
  } catch (error) {
    console.error(`pack-release: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

/** Returns the path of the tarball. */
export function packRelease(tag: string, repository: string, into: string): string {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) {
    throw new Error(`expected GITHUB_REPOSITORY to be owner/name, received ${JSON.stringify(repository)}`)
  }
  const { version, folder } = packageOf(tag)
  mkdirSync(into, { recursive: true })
  const work = mkdtempSync(join(tmpdir(), 'pack-release-'))
  try {
    run('tar', ['-xzf', pack(join(ROOT, folder), work), '-C', work])
    const unpacked = join(work, 'package')
    rewrite(join(unpacked, 'package.json'), (text) =>
      JSON.stringify(publishedManifest(JSON.parse(text), repository, tag, folder), null, 2),
    )
    rewrite(join(unpacked, 'README.md'), (text) => absoluteLinks(text, { root: ROOT, folder, repository, tag }))
    writeFileSync(join(into, 'notes.md'), notesOf(readFileSync(join(ROOT, folder, 'CHANGELOG.md'), 'utf8'), version))
    return pack(unpacked, into)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** The package that a tag releases. Its version must be the one in package.json. */
function packageOf(tag: string): { version: string; folder: string } {
  const name = tag.slice(0, tag.lastIndexOf('@'))
  const folder = FOLDERS.get(name)
  if (folder === undefined) {
    const expected = Array.from(FOLDERS.keys(), (name) => `${name}@<version>`)
    throw new Error(`expected the tag ${expected.join(' or ')}, received ${JSON.stringify(tag)}`)
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
  if (tag !== `${name}@${version}`) {
    throw new Error(`expected the tag ${name}@${version}, the version in package.json, received ${tag}`)
  }
  return { version, folder }
}

/** The manifest for npm: with the addresses of the repository, and without what only this repository needs. */
export function publishedManifest(manifest: Manifest, repository: string, tag: string, folder: string): Manifest {
  const { scripts, devDependencies, workspaces, allowScripts, ...published } = manifest
  const address = `https://github.com/${repository}`
  return {
    ...published,
    repository: { type: 'git', url: `git+${address}.git`, ...(folder && { directory: folder }) },
    homepage: `${address}/tree/${tag}${folder && `/${folder}`}#readme`,
    bugs: { url: `${address}/issues` },
  }
}

/** The section of a version in a changelog that changesets wrote. */
export function notesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m)
  const section = sections.find((text) => text.startsWith(`${version}\n`))
  if (!section)
    throw new Error(`expected CHANGELOG.md to have a section "## ${version}": run \`npx changeset version\``)
  return section.slice(version.length).trim()
}

/** Packs a folder, and returns the path of the tarball. */
function pack(folder: string, into: string): string {
  const empty = mkdtempSync(join(into, 'packed-'))
  run('npm', ['pack', '--loglevel=error', '--pack-destination', empty], folder)
  const [file = ''] = readdirSync(empty)
  renameSync(join(empty, file), join(into, file))
  rmdirSync(empty)
  return join(into, file)
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

function run(program: string, parameters: string[], cwd = ROOT): void {
  execFileSync(program, parameters, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
