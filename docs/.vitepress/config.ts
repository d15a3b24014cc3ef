import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import llmstxt from 'vitepress-plugin-llms'
import { REPOSITORY, repositoryUrl, slugify } from './repository.ts'
import { SIDEBAR } from './sidebar.ts'

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
    sidebar: SIDEBAR,
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        detailedView: true, // each result has an excerpt
        miniSearch: {
          // A name such as ERR_INVALID_BODY is one word.
          options: { tokenize: (text) => text.split(/[^\p{L}\p{N}_]+/u) },
          // Guides come before the rules and the flags, unless the words are the name of a rule or a flag.
          searchOptions: { boostDocument: (id) => (/doctor-rules/.test(id) ? 0.75 : /-flags/.test(id) ? 0.85 : 1) },
        },
      },
    },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path`, text: 'Edit this page' },
  },
  // The front page has cards, which style.css makes of its lists.
  transformPageData({ relativePath, frontmatter }) {
    if (relativePath === 'index.md') Object.assign(frontmatter, { pageClass: 'front', aside: false })
  },
  vite: { plugins: [llmstxt()] },
  // The plugin knows neither the other files of the repository, nor the base of the addresses.
  buildEnd({ outDir, site: { base } }) {
    for (const file of globSync('*.{md,txt}', { cwd: outDir })) {
      const path = join(outDir, file)
      const text = readFileSync(path, 'utf8')
        .replaceAll(/\]\((\.\.\/[^)]+)\)/g, (_link, href: string) => `](${repositoryUrl(href)})`)
        .replaceAll(/\]\(\/(?=[\w-]+\.md)/g, `](${base}`)
      writeFileSync(path, text)
    }
  },
})
