import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const DEMO = join(import.meta.dirname, '../../examples/demo.ts')

/** Starts the demo with its output in a pipe, after this shell command. */
function start(args: readonly string[], before = ':') {
  const shell = ['-c', `${before}; exec "$0" "$@"`, process.execPath, DEMO, ...args]
  // Without NODE_OPTIONS, which would load the hooks of tap into the demo.
  return spawn('sh', shell, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } })
}

async function finish(demo: ReturnType<typeof start>) {
  const [stdout, stderr, [code]] = await Promise.all([text(demo.stdout), text(demo.stderr), once(demo, 'close')])
  return { lines: stdout.trimEnd().split('\n'), stderr, code }
}

/** The cells of the row with this label. */
function row(lines: readonly string[], label: string) {
  const cells = lines.map((line) => line.split('│').map((cell) => cell.trim()))
  return cells.find((row) => row[1] === label)?.slice(2, -1)
}

// The demo waits for redeliveries during most of its time.
t.jobs = 3

t.test('the demo accounts for every message on both sides', { buffered: true }, async (t) => {
  const { lines, stderr, code } = await finish(start(['--messages', '2000']))
  t.equal(lines.at(-1), 'This package: 2,000 sent = 1,990 processed + 10 dead-lettered, none lost.')
  t.equal(stderr, '')
  t.equal(code, 0)
  t.strictSame(row(lines, 'injected: always refused'), ['10', '10'])
  t.strictSame(row(lines, 'lost'), ['0', '0'])
  t.strictSame(row(lines, 'processed twice'), ['0', '0'])
  t.equal(row(lines, 'deliveries')?.[1], '2,060', '40 messages are refused once, and 10 three times')
  t.equal(row(lines, 'refused by the service')?.[1], '70')
  const [unbounded, bounded] = row(lines, 'failed with EMFILE') ?? []
  t.not(unbounded, '0')
  t.equal(bounded, '0')
  t.strictSame(
    lines.filter((line) => line.length > 80),
    [],
    'no line is longer than 80 characters',
  )
})

t.test('the demo exits with 1 if a message is lost', { buffered: true }, async (t) => {
  const folder = temporaryFolder(t, {
    'loses-one.ts': `import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

export const handler = middy().use(boundedSqsBatch()).handler(
  eachRecord(async ({ body }) => {
    const response = await fetch(process.env.DOWNSTREAM_URL, { method: 'POST', body })
    await response.arrayBuffer()
    if (!response.ok && body !== '{"number":200}') throw new Error('refused')
  }),
)`,
  })
  const { lines, stderr, code } = await finish(start(['--messages', '1000', '--handler', join(folder, 'loses-one.ts')]))
  t.equal(lines.at(-1), 'This package: 1,000 sent = 995 processed + 4 dead-lettered + 1 lost.')
  t.equal(stderr, 'Failed: Messages that this package lost: 1.\n')
  t.equal(code, 1)
})

t.test('Ctrl-C ends the demo with exit code 130', { buffered: true }, async (t) => {
  const demo = start(['--messages', '2000'])
  const finished = finish(demo)
  while (!String((await once(demo.stdout, 'data'))[0]).includes(' s: '));
  demo.kill('SIGINT')
  demo.kill('SIGINT') // npm passes the signal on, so the demo receives it twice
  const { lines, stderr, code } = await finished
  t.equal(stderr, 'The demo did not finish: it was interrupted with Ctrl-C\n')
  t.equal(code, 130)
  t.notOk(lines.some((line) => line.startsWith('This package:')))
})
