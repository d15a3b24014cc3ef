import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { BatchSummary } from '../../src/index.ts'
import { logFailures } from '../../src/report/failure-log.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { record } from '../support/branded.ts'
import { ids, standardEvent } from '../support/events.ts'
import { logged } from '../support/output.ts'

// Making the entry takes long if long texts are processed, or if a regular expression looks at a character many times.
// Neither is measured with a clock: the first test counts the processed characters, the second one the steps of each
// regular expression that the first one has seen.

const RECORDS = 6_900
const EVENT = checkSqsEvent(standardEvent(...ids(RECORDS)))
const SUMMARY = { records: RECORDS, succeeded: 0 } as BatchSummary
const LONG = 10_000

/** What the long texts consist of, by their kind. */
const UNITS = {
  digits: '1234567890',
  'separated digits': '1.',
  'hexadecimal digits': 'ab01',
  'hexadecimal letters': 'abcdef',
  'parts of UUIDs': 'abcdef01-abcd-',
  brackets: '[',
  underscores: '_1',
  spaces: ' ',
  'lines that look like frames': '\n    at node:node_modules',
  'words before a status': 'status code HTTP/1.1 returned ',
  'other letters': 'ü9',
}

/** A text of this length, which is different for each index. */
function textOf(unit: string, index: number, length = LONG): string {
  const id = Array.from(String(index), (digit) => 'ghijklmnop'.charAt(Number(digit))).join('')
  return `${id} ${unit.repeat(length / unit.length)}${index % 2 === 1 ? 'z' : ''}`
}

const SOURCES = ['error-groups', 'failure-log'].map((name) =>
  readFileSync(new URL(`../../src/report/${name}.ts`, import.meta.url), 'utf8'),
)

const { replace } = String.prototype
const { exec } = RegExp.prototype
const patterns = new Map<string, RegExp>()

/** Calls `run`, and counts the characters of the texts in which regular expressions search. */
async function processed(run: () => unknown): Promise<number> {
  let characters = 0
  let isReplacing = false // then V8 calls exec() for each match
  function count(text: string, pattern: unknown): void {
    // tap and Node use others.
    if (isReplacing || !(pattern instanceof RegExp) || !SOURCES.some((source) => source.includes(pattern.source)))
      return
    characters += text.length
    patterns.set(String(pattern), pattern)
  }
  String.prototype.replace = function (this: string, pattern: never, value: never) {
    count(this, pattern)
    isReplacing = true
    try {
      return replace.call(this, pattern, value)
    } finally {
      isReplacing = false
    }
  }
  RegExp.prototype.exec = function (text) {
    count(text, this)
    return exec.call(this, text)
  }
  try {
    await run()
  } finally {
    Object.assign(String.prototype, { replace })
    Object.assign(RegExp.prototype, { exec })
  }
  return characters
}

/** Makes the entry about records that failed with these errors. */
async function processedFor(errorOf: (index: number) => Error): Promise<number> {
  const failures = EVENT.ids.map((_, index) => ({ index: record(index), reason: errorOf(index) }))
  let entries: string[] = []
  const characters = await processed(async () => {
    const time = () => ({ left: Infinity, reserve: 0 })
    entries = await logged(() => logFailures(undefined, EVENT, failures, () => SUMMARY, time))
  })
  if (entries.length !== 1) throw new Error(`Expected one entry, received ${entries.length}`)
  return characters
}

/** Without a stack, which V8 would make. */
function errorWith(message: string, cause?: Error): Error {
  return Object.assign(Object.create(Error.prototype), {
    message,
    cause,
    code: 'EX',
    stack: `Error: ${message}\n    at save (a:1:1)`,
  })
}

const mixed = (index: number) => textOf(Object.values(UNITS)[index % 11] as string, index)

for (const causes of [0, 3]) {
  t.test(
    `${RECORDS} long messages with ${causes} causes each: at most 3,000,000 characters are processed`,
    async (t) => {
      const withCauses = (index: number, count: number): Error =>
        errorWith(mixed(4 * index + count), count === 0 ? undefined : withCauses(index, count - 1))
      const characters = await processedFor((index) => withCauses(index, causes))
      t.ok(characters <= 3_000_000, `${characters} characters`)
      t.ok(characters >= 50_000, 'they are counted')
    },
  )
}

t.test('the process does not need memory for 1,000 messages of 1 MB that share a text', (t) => {
  // V8 joins such a message when a part of it is read, and keeps the joined text.
  const program = `
    import { groupErrors } from '${new URL('../../src/report/error-groups.ts', import.meta.url)}'
    const shared = 'x'.repeat(1_000_000)
    const failures = Array.from({ length: 1_000 }, (_, index) =>
      ({ id: 'm' + index, error: new Error(index + shared), receiveCount: 1 }))
    console.log(groupErrors(failures).groups.map(({ count }) => count).join())`
  const flags = ['--max-old-space-size=100', '--input-type=module', '-e', program]
  const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' })
  t.equal(stdout, '1000\n', stderr)
  t.end()
})

type Match = (text: string, from: number, next: (end: number) => boolean) => boolean

/**
 * A matcher that backtracks like V8's and counts its steps: a step compares one character, or looks at one position. It
 * knows what the patterns of src/report/ use.
 */
function createMatcher({ source, flags }: RegExp) {
  let steps = 0
  let rest = source
  const take = (pattern: RegExp) => {
    const [token = ''] = exec.call(pattern, rest) ?? []
    rest = rest.slice(token.length)
    return token
  }
  function alternatives(): Match {
    const matches = [sequence()]
    while (take(/^\|/)) matches.push(sequence())
    return (text, from, next) => matches.some((match) => match(text, from, next))
  }
  function sequence(): Match {
    const parts: Match[] = []
    while (rest !== '' && !/^[|)]/.test(rest)) parts.push(quantified(atom()))
    return parts.reduceRight<Match>(
      (after, part) => (text, from, next) => part(text, from, (end) => after(text, end, next)),
      (_text, from, next) => next(from),
    )
  }
  function atom(): Match {
    const group = take(/^\((\?[:!])?/)
    if (group) {
      const inner = alternatives()
      take(/^\)/)
      if (group !== '(?!') return inner
      return (text, from, next) => !inner(text, from, () => true) && next(from)
    }
    const position = take(/^(\\b|\^)/)
    if (position) {
      const isHere = new RegExp(position, 'y')
      return (text, from, next) => {
        steps++
        isHere.lastIndex = from
        return isHere.test(text) && next(from)
      }
    }
    const one = new RegExp(`^${take(/^(\[[^\]]+\]|\\.|.)/)}$`, flags.replace('g', ''))
    return (text, from, next) => {
      steps++
      return from < text.length && one.test(text.charAt(from)) && next(from + 1)
    }
  }
  function quantified(match: Match): Match {
    const token = take(/^([*+?]|\{[\d,]+\})/)
    if (token === '') return match
    const [, least, comma, most] = exec.call(/^\{(\d+)(,?)(\d*)\}$/, token) ?? []
    const min = least === undefined ? Number(token === '+') : Number(least)
    const max = token === '?' ? 1 : least === undefined || (comma && !most) ? Infinity : Number(most || least)
    const repeat =
      (count: number): Match =>
      (text, from, next) =>
        (count < max && match(text, from, (end) => repeat(count + 1)(text, end, next))) || (count >= min && next(from))
    return repeat(0)
  }
  const match = alternatives()
  return {
    /** The matches of the whole text, and the steps that finding them took. */
    matchAll(text: string) {
      steps = 0
      const found: string[] = []
      for (let from = 0; from <= text.length; ) {
        let end = -1
        const isFound = match(text, from, (at) => {
          end = at
          return true
        })
        if (isFound) found.push(text.slice(from, end))
        if (source.startsWith('^')) break // V8 tries no other position
        from = isFound ? Math.max(end, from + 1) : from + 1
      }
      return { found, steps }
    },
  }
}

/** For each character. A pattern that looks at each position of a long word needs hundreds. */
const MAX_STEPS = 12

t.test('each regular expression takes a number of steps that grows with the length of the text only', async (t) => {
  t.equal(patterns.size, 8, 'the patterns of both files')
  for (const pattern of patterns.values()) {
    const { matchAll } = createMatcher(pattern)
    for (const [what, unit] of Object.entries(UNITS)) {
      for (const index of [0, 1]) {
        const text = textOf(unit, index, 800)
        const { found, steps } = matchAll(text)
        const all = [...text.matchAll(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`))].map(([one]) => one)
        t.strictSame(found, all, `${pattern} finds the same in ${what}`)
        t.ok(steps <= MAX_STEPS * text.length, `${pattern}: ${steps} steps for ${text.length} characters of ${what}`)
      }
    }
  }
})

t.test('the count of steps detects a pattern that looks at each position of a long word', async (t) => {
  const { matchAll } = createMatcher(/[0-9a-f]{8,}\b|\d+/i)
  const text = `${'ab01'.repeat(200)}z`
  t.ok(matchAll(text).steps > 2 * MAX_STEPS * text.length)
})
