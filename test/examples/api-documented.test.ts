/** The pages have what users can name and no type declares. `npm run docs:reference` writes docs/reference.md with the rest. */
import { tracingChannel } from 'node:diagnostics_channel'
import { globSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'

const root = new URL('../../', import.meta.url)
const source = globSync('src/**/*.ts', { cwd: root }).map(read).join('\n')

function read(path: string): string {
  return readFileSync(new URL(path, root), 'utf8')
}

const PAGES = ['reference', 'observability', 'troubleshooting', 'batch-size']

const reference = PAGES.map((page) => read(`docs/${page}.md`)).join('\n')

/** The text of each section of these pages, by its heading without backticks. */
const sections = new Map(
  reference.split(/^#{2,4} /m).map((section) => {
    const [heading = ''] = section.split('\n', 1)
    return [heading.replaceAll('`', ''), section.slice(heading.length).trim()]
  }),
)

function assertSections(t: Test, headings: readonly string[]): void {
  t.ok(headings.length > 0, 'there is something to document')
  for (const heading of headings) t.ok(sections.get(heading), `the reference has a section "${heading}"`)
}

/** What the first group of a pattern matches in the source code. */
function inSource(pattern: RegExp): string[] {
  return [...new Set(Array.from(source.matchAll(pattern), ([, name]) => name as string))]
}

t.test('each warning', async (t) => {
  assertSections(t, inSource(/\bwarn\(\s*'(BOUNDED_SQS_BATCH_\w+)'/g))
})

t.test('each diagnostics channel', async (t) => {
  const names = inSource(/tracingChannel<[^>]*>\('([^']+)'\)/g)
  const section = sections.get('Channels')
  t.ok(names.length > 1)
  for (const name of names) {
    t.match(section, `\`${name}\`: a [`)
    const { start, end, asyncStart, asyncEnd, error } = tracingChannel(name)
    for (const channel of [start, end, asyncStart, asyncEnd, error]) {
      t.match(section, `| \`${String(channel.name).split(':').at(-1)}\` |`)
    }
  }
})

t.test('each environment variable', async (t) => {
  const names = [
    ...inSource(/process\.env\.(\w+)/g),
    ...inSource(/\{ ([^}]*) \} = process\.env/g).flatMap((list) => list.split(', ')),
  ]
  t.ok(names.length > 2)
  for (const name of names) t.ok(reference.includes(`\`${name}`), name)
})
