import { existsSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** owner/name. GitHub sets the variable in workflows, so a fork links to itself. */
const NAME = process.env.GITHUB_REPOSITORY ?? 'owner/name'

export const REPOSITORY = `https://github.com/${NAME}`

/** The address that GitHub Pages gives to the site, or the one that its workflow knows. */
export const SITE = process.env.SITE ?? `https://${NAME.replace('/', '.github.io/')}`

/** The address of a file outside of docs/, which the site does not have, or undefined for any other link. */
export function repositoryUrl(href: string): string | undefined {
  if (!href.startsWith('../')) return undefined
  const [path = '', ...heading] = href.split(/(?=#)/)
  const file = posix.join('docs', path)
  if (!existsSync(join(ROOT, file))) throw new Error(`expected a file of this repository, received the link ${href}`)
  const kind = statSync(join(ROOT, file)).isDirectory() ? 'tree' : 'blob'
  return `${REPOSITORY}/${kind}/main/${file}${heading.join('')}`
}

/** The anchor that GitHub gives to a heading, so that a link works there and on the site. */
export function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}
