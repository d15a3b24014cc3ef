import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './repository.ts'

interface Item {
  readonly text: string
  readonly link: string
  readonly collapsed?: boolean
  readonly items?: Item[]
}

/**
 * One entry for each page. The entries of a group are visible on its pages, or when it is opened. Each group is a page, too:
 * VitePress makes a button in a button of a group without one.
 */
export const SIDEBAR: (Item | { readonly items: Item[] })[] = [
  {
    items: [
      { text: 'Start', link: '/' },
      page('settings'),
      { text: 'Examples', link: `${REPOSITORY}/blob/main/examples/README.md` },
      page('reference'),
    ],
  },
  group('Deploy', 'deploy', ['cdk', 'modules']),
  group('Messages', 'envelopes', ['other-middlewares', 'from-sqs-partial-batch-failure', 'from-powertools-batch']),
  {
    ...group('Failures', 'failures', ['outages', 'crashes', 'dead-letters', 'failure-handlers', 'fifo']),
    collapsed: false,
  },
  group('Speed and limits', 'batch-size', ['rate-limit', 'databases', 'time-budget']),
  group('Tests', 'testing', ['on-aws', 'versioning']),
  group('Operations', 'operations', ['observability', 'monitoring', 'not-invoked', 'troubleshooting']),
  group('Command-line tool', 'local', ['local-reference', 'doctor', 'doctor-rules', 'tune', 'flags']),
]

/** All entries, without groups. */
export const ENTRIES: Item[] = SIDEBAR.flatMap((group) => [
  ...('link' in group ? [page(group.link.slice(1))] : []),
  ...(group.items ?? []),
])

function group(text: string, name: string, others: readonly string[]): Item {
  return { text, link: `/${name}`, collapsed: true, items: others.map(page) }
}

function page(name: string): Item {
  return { text: titleOf(name), link: `/${name}` }
}

function titleOf(page: string): string {
  const text = readFileSync(join(import.meta.dirname, `../${page}.md`), 'utf8')
  const [, title] = /^# (.+)$/m.exec(text) ?? []
  if (title === undefined) throw new Error(`expected a title in docs/${page}.md`)
  return title.replaceAll('`', '')
}
