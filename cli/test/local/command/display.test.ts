import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'tap'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import { renderLedger, renderVerdict, showProgress } from '../../../src/local/command/display.ts'
import { openDisplay, renderTable } from '../../../src/shared/display.ts'

/** A terminal with this many columns, and what was written to it. */
function terminal(columns: number) {
  let written = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk
      done()
    },
  }) as unknown as NodeJS.WriteStream
  Object.assign(stream, { isTTY: true, columns, rows: 24 })
  return { stream, written: () => written, text: () => stripVTControlCharacters(written) }
}

const progress = { ...new OpenLedger().snapshot({ queue: 5000, deadLetter: 0 }), sent: 10_000, processed: 5000 }

test('a terminal shows the counts', async (t) => {
  const { stream, text } = terminal(160)
  showProgress(openDisplay(stream), progress, stream)
  t.match(
    text(),
    'sent 10,000 · in the queue 5,000 · in flight 0 · processed 5,000 · failed 0 · dead-lettered 0 · 0 records/s',
  )
})

test('on a narrow terminal, the counts break between words', async (t) => {
  const { stream, text } = terminal(60)
  showProgress(openDisplay(stream), progress, stream)
  t.strictSame(text().trimEnd().split('\n'), [
    'sent 10,000 · in the queue 5,000 · in flight 0 · processed',
    '5,000 · failed 0 · dead-lettered 0 · 0 records/s',
  ])
})

test('texts break at words, and keep long words and their indentation', async (t) => {
  const { stream, text } = terminal(60)
  const display = openDisplay(stream)
  const url = `https://${'x'.repeat(70)}`
  display.log(`one ${'word '.repeat(13)}${url}\nnext`)
  t.equal(text(), `one${' word'.repeat(11)}\nword word ${url}\nnext\n`.replace(`word word ${url}`, `word word\n${url}`))
  const ledger = { ...progress, reasons: { [`timed out ${'after a long time '.repeat(5)}`]: 2 } }
  const lines = renderLedger(ledger, stream).split('\n').slice(-3)
  t.strictSame(lines, [
    'Why invocations failed or processes died:',
    '  2 × timed out after a long time after a long time',
    '      after a long time after a long time after a long time',
  ])
  const pipe = Object.assign(terminal(60).stream, { isTTY: false })
  t.match(renderLedger(ledger, pipe), `  2 × timed out ${'after a long time '.repeat(5)}`, 'programs get whole lines')
})

test('a log line of the function is not broken on a terminal', async (t) => {
  const { stream, text } = terminal(60)
  const display = openDisplay(stream)
  const line = `function | {"level":"INFO","message":"${'word '.repeat(30)}"}`
  display.print(line, stream)
  t.equal(text(), `${line}\n`)
})

test('the verdict is green or red on a terminal', async (t) => {
  const stream = Object.assign(terminal(80).stream, { getColorDepth: () => 8, hasColors: () => true })
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env
  t.intercept(process, 'env', { value: env })
  const { firstUnprocessed, ...passed } = { ...progress, processed: 5002, invocations: 5, processes: 1 }
  t.equal(
    renderVerdict(undefined, passed, stream),
    '\u001b[32mpassed:\u001b[39m 5,002 processed in 5 invocations of 1 process',
  )
  const failed = { ...passed, firstUnprocessed: 'b9f7' }
  const reason = '1 message was lost'
  t.equal(
    renderVerdict(reason, failed, stream),
    '\u001b[31mfailed:\u001b[39m 1 message was lost; the first unprocessed message is b9f7',
  )
  t.equal(renderVerdict(reason, passed, stream), '\u001b[31mfailed:\u001b[39m 1 message was lost', 'none is known')
  t.match(renderLedger({ ...progress, lost: 3 }, stream), '\u001b[31m3\u001b[39m')
  const pipe = Object.assign(stream, { isTTY: false })
  t.equal(
    renderVerdict(undefined, passed, pipe),
    'passed: 5,002 processed in 5 invocations of 1 process',
    'elsewhere without colour',
  )
})

test('a log line is printed above the progress line, which is then shown again', async (t) => {
  const { stream, text } = terminal(160)
  const display = openDisplay(stream)
  showProgress(display, progress, stream)
  display.log('function | hello')
  t.match(text(), /records\/s[\s\S]*function \| hello\n[\s\S]*records\/s/)
  display.end()
  const before = text()
  display.log('the end')
  t.equal(text().slice(before.length).trim(), 'the end', 'after the end there is no live line')
})

test('no progress if nothing was sent', async (t) => {
  const { stream, text } = terminal(160)
  showProgress(openDisplay(stream), { ...progress, sent: 0 }, stream)
  t.equal(text(), '')
})

test('show() updates its text on a terminal, and prints a line at most every two seconds elsewhere', async (t) => {
  const { stream, text } = terminal(80)
  function show(to: NodeJS.WriteStream) {
    const display = openDisplay(to)
    for (const number of [1, 2]) {
      display.show(
        () => `text ${number}`,
        () => `plain ${number}`,
      )
    }
  }
  show(stream)
  t.match(text(), /^text 1\n[\s\S]*2\n$/)
  const pipe = terminal(80)
  show(Object.assign(pipe.stream, { isTTY: false }))
  t.equal(pipe.text(), 'plain 1\n')
})

test('without a terminal, a plain line is printed again only after it has changed', async (t) => {
  let now = 0
  t.intercept(performance, 'now', { value: () => now })
  const pipe = terminal(80)
  const display = openDisplay(Object.assign(pipe.stream, { isTTY: false }))
  for (const line of ['a', 'a', 'b', 'b', 'a']) {
    display.show(
      () => 'unused',
      () => line,
    )
    now += 2000
  }
  t.equal(pipe.text(), 'a\nb\na\n')
})

test('a table with two columns of counts', async (t) => {
  t.equal(
    renderTable([
      ['', 'left', 'right'],
      ['sent', '10,000', '5'],
    ]),
    '┌──────┬────────┬───────┐\n│      │   left │ right │\n│ sent │ 10,000 │     5 │\n└──────┴────────┴───────┘',
  )
})

test('messages that were processed and dead-lettered have rows of their own', async (t) => {
  const sent = renderLedger({ ...progress, sentDeadLetters: 1, deadLettered: 2 })
  t.match(sent, /│ {3}of these, dead-lettered by the handler +│ +1 │\n│ dead-lettered by the queue +│ +2 │/)
  const table = renderLedger({ ...progress, expiredDeadLetters: 1234 })
  t.match(table, /│ processed, but also dead-lettered +│ +1,234 │\n│ \(visibility timeout expired\)/)
  t.notMatch(renderLedger(progress), /also dead-lettered/)
})

test('reasons and causes are listed', async (t) => {
  const text = renderLedger({ ...progress, reasons: { a: 3, b: 1200 }, causes: { c: 1 } })
  const lines = [
    'Why invocations failed or processes died:',
    '  3 × a',
    '  1,200 × b',
    'Why records failed (deliveries × error):',
    '  1 × c',
  ]
  t.strictSame(text.split('\n').slice(-5), lines)
  t.notMatch(renderLedger(progress), /^Why/m)
})
