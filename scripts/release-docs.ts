/**
 * Writes the version of the command-line tool into docs/doctor-ci.md, and the owner of the repository, so that users can
 * copy the lines. The owner is known in GitHub, or from the remote `origin`.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const PAGE = new URL('../docs/doctor-ci.md', import.meta.url)

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
  const { version } = JSON.parse(readFileSync(new URL('../cli/package.json', import.meta.url), 'utf8'))
  writeFileSync(PAGE, withRelease(readFileSync(PAGE, 'utf8'), version, ownerOfRepository()))
}
