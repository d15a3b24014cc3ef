/** The table about Middy 6 in docs/from-sqs-partial-batch-failure.md: each row with @middy/core 6.4.5 and with the version that is installed. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import * as middy7 from '@middy/core'
import t, { type Test } from 'tap'
import { type Any, read } from '../support/pages.ts'

const require = createRequire(import.meta.url)
const middy6: Any = await import(pathToFileURL(require.resolve('middy-6')).href)

const rows = new Set<string>()

/** Runs a test of the row with this beginning with both versions. */
function row(
  start: string,
  run: (middy: Any) => Promise<unknown>,
  results: readonly [old: unknown, now: unknown],
): void {
  rows.add(start)
  t.test(start, async (t: Test) => {
    t.strictSame([await run(middy6.default), await run(middy7.default)], results)
  })
}

const context = { getRemainingTimeInMillis: () => 60_000 }
const outcome = (result: Promise<unknown>) => result.catch((error) => (error instanceof Error ? error.name : error))

row(
  'A hook may return any thenable',
  (middy) => {
    const query = { then: (resolve: (value: unknown) => void) => resolve(undefined) }
    return middy({})
      .before(() => query)
      .handler(() => 'from the handler')({}, context)
  },
  ['from the handler', undefined],
)

row(
  'A hook that sets `request.earlyResponse` and then throws',
  (middy) => {
    const handler = middy({}).before((request: Any) => {
      request.earlyResponse = 'early'
      throw new RangeError('after the response')
    })
    return outcome(handler.onError(() => {}).handler(() => {})({}, context))
  },
  ['early', 'RangeError'],
)

row(
  'An `onError` hook that throws a text',
  async (middy) => {
    const thrown = async (value: unknown) => {
      const handler = middy({}).onError(() => {
        throw value
      })
      return handler
        .handler(() => {
          throw new Error('first')
        })({}, context)
        .catch((error: unknown) => (error instanceof TypeError ? 'TypeError' : error))
    }
    return [await thrown('text'), await thrown(null), await thrown(undefined)]
  },
  [
    ['TypeError', 'TypeError', 'TypeError'],
    ['text', null, undefined],
  ],
)

row(
  'Invocations in one process share one abort signal',
  async (middy) => {
    const signals: AbortSignal[] = []
    const handler = middy({}).handler((_event: unknown, _context: unknown, { signal }: { signal: AbortSignal }) => {
      signals.push(signal)
    })
    await Promise.all([handler({}, context), handler({}, context)])
    return signals[0] === signals[1]
  },
  [true, false],
)

t.test('each row of the table has a test', async (t) => {
  const [, table = ''] =
    /^\| Middy 6 \| Middy 7 \|\n\|.*\n((?:\|.*\n)+)/m.exec(read('docs/from-sqs-partial-batch-failure.md')) ?? []
  const lines = table.trim().split('\n')
  t.strictSame(
    lines.map((line) => [...rows].find((start) => line.startsWith(`| ${start}`))),
    [...rows],
  )
})

t.test('the page names the version of Middy 6 that the test uses', async (t) => {
  const { dependencies } = JSON.parse(read('test/integrations/package.json'))
  t.ok(
    read('docs/from-sqs-partial-batch-failure.md').includes(
      dependencies['middy-6'].replace('npm:', '').replace('core@', 'core '),
    ),
  )
})
