import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type HeadConfig } from 'vitepress'
import llmstxt from 'vitepress-plugin-llms'
import { OTHER_WORDS } from './other-words.ts'
import { writeRedirects } from './redirects.ts'
import { REPOSITORY, repositoryUrl, SITE, slugify } from './repository.ts'
import { casesAsMarkdown } from './settings/cases.ts'
import { ENTRIES, SIDEBAR } from './sidebar.ts'

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))

/** What the theme needs to know of two pages, which have no outline beside them. */
const WIDE_PAGES: Record<string, object> = {
  'index.md': { layout: 'home', pageClass: 'front' },
  'settings.md': { pageClass: 'settings', aside: false },
}

export default defineConfig({
  title: 'middy-bounded-sqs-batch',
  description:
    'Middy middleware for SQS batches: a handler of one record, bounded concurrency, and a report of exactly what failed',
  lang: 'en',
  cleanUrls: true,
  lastUpdated: false,
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify },
    config(md) {
      md.core.ruler.push('repository-links', ({ tokens }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const url = token.type === 'link_open' ? repositoryUrl(token.attrGet('href') ?? '') : undefined
          if (url) token.attrSet('href', url)
        }
      })
    },
  },
  themeConfig: {
    version,
    logo: { src: '/favicon.svg', alt: '' },
    nav: [
      { text: 'Start', link: '/' },
      { text: 'Settings', link: '/settings' },
      { text: 'Examples', link: `${REPOSITORY}/blob/main/examples/README.md` },
      { text: 'Reference', link: '/reference' },
    ],
    footer: {
      message: `Version ${version} · <a href="${REPOSITORY}/blob/main/CHANGELOG.md">Changelog</a> · <a href="${REPOSITORY}/blob/main/SECURITY.md">Security</a> · <a href="${REPOSITORY}/blob/main/LICENSE">MIT license</a>`,
    },
    sidebar: SIDEBAR,
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        detailedView: true, // each result has an excerpt
        _render(source, env, md) {
          const page = env.relativePath.replace('.md', '')
          return md
            .render(source, env)
            .replaceAll(
              /<h\d id="([^"]+)".*<\/h\d>/g,
              (heading, id) => `${heading}${OTHER_WORDS[`${page}#${id}`] ?? ''}`,
            )
        },
        miniSearch: {
          // The browser gets the text of these functions, so each has all that it needs.
          options: {
            // A name such as ERR_INVALID_BODY is one word.
            tokenize: (text) => text.split(/[^\p{L}\p{N}_]+/u),
            // Words without a meaning do not count, and "records" is "record".
            processTerm(term) {
              const word = term.toLowerCase()
              const stop =
                /^(an?|and|are|as|at|be|by|can|do|does|for|from|how|i|in|is|it|its|may|my|of|on|or|the|this|to|was|what|when|which|why|with)$/
              return stop.test(word) ? null : word.replace(/(?<=[a-z]{3}[^su])s$/, '')
            },
          },
          searchOptions: {
            prefix: (term) => term.length > 3,
            fuzzy: (term) => term.length > 6 && 0.2,
            // Guides come before the rules and the flags, unless the words are the name of a rule or a flag.
            boostDocument: (id) =>
              /on-aws/.test(id) ? 0.4 : /doctor-rules|reference/.test(id) ? 0.75 : /flags/.test(id) ? 0.85 : 1,
          },
        },
      },
    },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path`, text: 'Edit this page' },
  },
  transformPageData({ relativePath, frontmatter }) {
    Object.assign(frontmatter, WIDE_PAGES[relativePath])
  },
  transformHead({ siteData, title, description, page }) {
    const preview = {
      'og:type': 'website',
      'og:title': title,
      'og:description': description,
      'og:url': `${SITE}/${page.replace(/(index)?\.md$/, '')}`,
      'og:image': `${SITE}/preview.png`,
      'twitter:card': 'summary_large_image',
    }
    return [
      ['noscript', {}, '<style>.calculator { display: none }</style>'],
      ['link', { rel: 'icon', type: 'image/svg+xml', href: `${siteData.base}favicon.svg` }],
      ...Object.entries(preview).map(([property, content]): HeadConfig => ['meta', { property, content }]),
    ]
  },
  // For programs, each page once: the plugin would leave out the pages of groups.
  vite: { plugins: [llmstxt({ sidebar: [{ items: ENTRIES.filter(({ link }) => link.startsWith('/')) }] })] },
  // The plugin knows neither the other files of the repository, nor the base of the addresses, nor components.
  buildEnd({ outDir, site: { base } }) {
    writeRedirects(outDir, base)
    for (const file of globSync('*.{md,txt}', { cwd: outDir })) {
      const path = join(outDir, file)
      const text = readFileSync(path, 'utf8')
        .replaceAll(/\]\((\.\.\/[^)]+)\)/g, (_link, href: string) => `](${repositoryUrl(href)})`)
        .replaceAll(/\]\(\/(?=[\w-]+\.md)/g, `](${base}`)
        .replace('## Typical cases\n', (heading) => `${heading}\n${casesAsMarkdown()}\n`)
      writeFileSync(path, text)
    }
  },
})
