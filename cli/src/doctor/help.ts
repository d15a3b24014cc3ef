import { readFileSync } from 'node:fs'

interface Manifest {
  version: string
  /** Only the published package has it: the release adds it. */
  repository?: { url?: string }
}

export const MANIFEST: Manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

const PAGE = 'docs/doctor-rules.md'

/** The page with the rules: its address, or the path in the repository if the package does not know the address. */
function pageOf({ repository, version }: Manifest): string {
  const url = repository?.url?.replace(/^git\+/, '').replace(/\.git$/, '')
  return url === undefined ? PAGE : `${url}/blob/bounded-sqs-batch@${version}/${PAGE}`
}

/** The heading of a rule. */
export function helpOf(rule: string): string {
  return `${pageOf(MANIFEST)}#${rule}`
}
