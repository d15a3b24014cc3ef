/** The reference has a section for everything that users can name. The names come from the code, not from a list here. */
import { tracingChannel } from 'node:diagnostics_channel'
import { globSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import * as library from '../../src/index.ts'
import * as sqs from '../../src/sqs/index.ts'
import * as testing from '../../src/testing/index.ts'
import { standardEvent } from '../support/events.ts'
import { handlerOf } from '../support/handlers.ts'

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

/** The options of a function, read from the error for an unknown option. */
async function optionsOf(call: (options: never) => unknown): Promise<string[]> {
  try {
    await call({ none: 1 } as never)
  } catch (error) {
    const [, names] = /unknown option .*, expected (?:one of )?(.*)$/.exec((error as Error).message) ?? []
    if (names) return names.split(', ')
  }
  throw new Error('Expected a TypeError that names the known options')
}

function isErrorClass(value: unknown): value is new (...args: unknown[]) => Error & { readonly code: string } {
  return typeof value === 'function' && value.prototype instanceof Error
}

t.test('each function that is exported, and each error class with its code', (t) => {
  const { default: boundedSqsBatch, ...named } = library
  t.equal(boundedSqsBatch, library.boundedSqsBatch)
  t.match(sections.get('Middleware and handlers'), 'default export')
  for (const [name, value] of Object.entries({ ...named, ...sqs, ...testing })) {
    if (isErrorClass(value)) t.match(sections.get(name), `code = "${new value([]).code}"`, name)
    else assertSections(t, [`${name}()`])
  }
  t.end()
})

t.test('each type that is exported', (t) => {
  const names = ['src/index.ts', 'src/sqs/index.ts', 'src/testing/index.ts'].flatMap((path) =>
    Array.from(read(path).matchAll(/export (type )?\{([^}]*)\}/g)).flatMap(([, isType, list = '']) =>
      list.split(',').flatMap((item) => {
        const [, prefix, name] = /^(type )?(\w+)/.exec(item.trim()) ?? []
        return name && (isType || prefix) ? name : []
      }),
    ),
  )
  t.ok(names.includes('BoundedSqsBatchOptions') && names.includes('DeadLetterOptions'), 'types are found')
  for (const name of names) t.ok(reference.includes(name), `the reference names the type ${name}`)
  t.end()
})

t.test('each option', async (t) => {
  const { boundedSqsBatch, eachChunk, eachRecord } = library
  assertSections(t, await optionsOf(boundedSqsBatch))
  for (const option of ['timeBudget', 'rateLimit']) {
    const names = await optionsOf((value) => boundedSqsBatch({ [option]: value }))
    assertSections(
      t,
      names.map((name) => `${option}.${name}`),
    )
  }
  function handle() {}
  const calls: Record<string, (options: never) => unknown> = {
    deadLetter: sqs.deadLetter,
    retryBackoff: sqs.retryBackoff,
    isolateCrashes: sqs.isolateCrashes,
    sqsEvent: (options) => testing.sqsEvent([], options),
    sqsContext: testing.sqsContext,
    invoke: (options) => testing.invoke(handlerOf(handle), standardEvent('a'), options),
  }
  for (const [name, call] of Object.entries(calls)) {
    const options = await optionsOf(call)
    assertSections(
      t,
      options.map((option) => `${name} option ${option}`),
    )
  }
  for (const [name, options] of [
    ['eachRecord()', await optionsOf((options) => eachRecord(handle, options))],
    ['eachChunk()', await optionsOf((options) => eachChunk(1, handle, options))],
  ] as const) {
    t.strictSame(options, ['body'])
    t.match(sections.get(name), 'options?: { body?: TBody }', name)
  }
})

t.test('each field of a summary', async (t) => {
  const fields: string[] = []
  await handlerOf(() => {}, { onSummary: (summary) => void fields.push(...Object.keys(summary)) })(standardEvent('a'))
  t.ok(fields.length > 10)
  for (const field of fields) t.match(sections.get('BatchSummary'), new RegExp(`^ {2}${field}: `, 'm'), field)
})

t.test('each warning', (t) => {
  assertSections(t, inSource(/\bwarn\(\s*'(BOUNDED_SQS_BATCH_\w+)'/g))
  t.end()
})

t.test('each diagnostics channel', (t) => {
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
  t.end()
})

t.test('each environment variable', (t) => {
  const names = [
    ...inSource(/process\.env\.(\w+)/g),
    ...inSource(/\{ ([^}]*) \} = process\.env/g).flatMap((list) => list.split(', ')),
  ]
  t.ok(names.length > 2)
  for (const name of names) t.ok(reference.includes(`\`${name}`), name)
  t.end()
})
