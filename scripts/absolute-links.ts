import { statSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Nodes } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'

type Place = {
  /** The folder of the repository on this machine. */
  root: string
  /** The folder of the Markdown file, relative to the root. */
  folder: string
  /** owner/name on GitHub. */
  repository: string
  tag: string
}

/**
 * Turns the relative links and images of a Markdown file into addresses on GitHub, at a tag. Links to headings of the
 * same file stay as they are. Throws if the file that a link names does not exist.
 */
export function absoluteLinks(markdown: string, place: Place): string {
  let result = ''
  let copied = 0
  for (const { start, url, isImage } of relativeUrls(markdown)) {
    result += markdown.slice(copied, start) + absoluteUrl(url, isImage, place)
    copied = start + url.length
  }
  return result + markdown.slice(copied)
}

type RelativeUrl = { start: number; url: string; isImage: boolean }

/** The relative URLs of a Markdown file, in the order of the file. Code is not searched. */
export function relativeUrls(markdown: string): RelativeUrl[] {
  const found: RelativeUrl[] = []
  for (const node of descendants(fromMarkdown(markdown))) {
    const offset = node.position?.start.offset ?? 0
    const source = markdown.slice(offset, node.position?.end.offset)
    if (node.type === 'link' || node.type === 'image' || node.type === 'definition') {
      if (!isRelative(node.url)) continue
      const before = node.type === 'definition' ? ']: ' : ']('
      // The last one: the text of a link may contain an image.
      const index = source.lastIndexOf(before + node.url)
      if (index < 0) throw new Error(`expected the URL ${node.url} in plain characters, received ${source}`)
      found.push({ start: offset + index + before.length, url: node.url, isImage: node.type !== 'link' })
    }
    if (node.type === 'html') {
      for (const match of source.matchAll(/(?<=\s(src|srcset|href)=["'])[^"']+/g)) {
        const [url] = match
        if (isRelative(url)) found.push({ start: offset + match.index, url, isImage: match[1] !== 'href' })
      }
    }
  }
  return found.sort((a, b) => a.start - b.start)
}

function* descendants(node: Nodes): Generator<Nodes> {
  yield node
  if ('children' in node) for (const child of node.children) yield* descendants(child)
}

function isRelative(url: string): boolean {
  return !/^([a-z][a-z\d+.-]*:|\/\/|#)/i.test(url)
}

function absoluteUrl(url: string, isImage: boolean, { root, folder, repository, tag }: Place): string {
  const [path = '', ...heading] = url.split(/(?=#)/)
  const target = posix.join(folder, path)
  const stats = statSync(join(root, target), { throwIfNoEntry: false })
  if (!stats || target.startsWith('..')) throw new Error(`expected a file of this repository, received the link ${url}`)
  const file = target + heading.join('')
  if (isImage && /\.(svg|png|gif|jpe?g|webp)$/.test(target)) {
    return `https://raw.githubusercontent.com/${repository}/${tag}/${file}`
  }
  return `https://github.com/${repository}/${stats.isDirectory() ? 'tree' : 'blob'}/${tag}/${file}`
}
