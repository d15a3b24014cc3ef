import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

interface Manifest {
  version: string
  /** Only the published package has it: the release adds it. */
  repository?: { url?: string }
}

export const MANIFEST: Manifest = JSON.parse(readFileSync(String(findPackageJSON(import.meta.url)), 'utf8'))

/** The address of a page in docs/ of this version. Undefined if the package does not know its repository. */
export function pageOf(page: string, { repository, version }: Manifest = MANIFEST): string | undefined {
  const url = repository?.url?.replace(/^git\+/, '').replace(/\.git$/, '')
  return url === undefined ? undefined : `${url}/blob/bounded-sqs-batch@${version}/docs/${page}`
}

export function pageOfRule(rule: string): string | undefined {
  return pageOf(`doctor-rules.md#${rule}`)
}
