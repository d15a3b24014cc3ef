/**
 * Writes the version of the command-line tool into docs/doctor.md, and the owner of the repository, so that users can
 * copy the lines. The owner is known in GitHub, or from the remote `origin`. The first release replaces the lines that
 * install from a clone, and the first that is no prerelease removes the tag `next` from the install commands.
 */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const PAGE = join(ROOT, 'docs/doctor.md')

/** The pages with install commands, relative to a root. docs/versioning.md explains the tag. */
export const installPages = (root: string): string[] =>
  globSync(['{.,cli,examples/orders}/README.md', 'docs/!(versioning).md'], { cwd: root })

/** The text for a package that is not on npm, and in a comment the one that replaces it. */
const UNPUBLISHED = /<!-- before the release -->\n[\s\S]*?<!-- after the release:\n([\s\S]*?)-->\n/g

/** The text with the install commands of a published version. Only a prerelease has the tag `next`. */
export function withInstall(text: string, version: string): string {
  const published = text.replaceAll(UNPUBLISHED, '$1')
  return version.includes('-') ? published : published.replaceAll('bounded-sqs-batch@next', 'bounded-sqs-batch')
}

/** The text with this version, and with this owner if it is known. */
export function withRelease(text: string, version: string, owner?: string): string {
  const versioned = text.replaceAll(/doctor-v\d[\w.-]*/g, `doctor-v${version}`)
  return owner === undefined ? versioned : versioned.replaceAll(/[\w-]+(?=\/middy-bounded-sqs-batch\b)/g, owner)
}

function ownerOfRepository(): string | undefined {
  const { GITHUB_REPOSITORY } = process.env
  if (GITHUB_REPOSITORY !== undefined) return GITHUB_REPOSITORY.split('/')[0]
  const remotes = execFileSync('git', ['remote', '-v'], { encoding: 'utf8' })
  return /github\.com[:/]([\w-]+)\//.exec(remotes)?.[1]
}

if (import.meta.main) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'cli/package.json'), 'utf8'))
  writeFileSync(PAGE, withRelease(readFileSync(PAGE, 'utf8'), version, ownerOfRepository()))
  for (const page of installPages(ROOT)) {
    const file = join(ROOT, page)
    writeFileSync(file, withInstall(readFileSync(file, 'utf8'), version))
  }
}
