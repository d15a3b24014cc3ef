import { test } from 'tap'
import { Findings } from '../../../src/local/account/findings.ts'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import type { FunctionOptions } from '../../../src/local/environment/environment.ts'
import type { Outcome } from '../../../src/local/environment/runtime-api.ts'
import type { Usage } from '../../../src/local/in-function/resource-usage.ts'
import type { LeftKind, LeftWork } from '../../../src/local/in-function/work-origin.ts'
import { libraryReport } from '../../support/ledger.ts'

/** A tenth of a core, and a timeout of 1 s. */
const OPTIONS = { file: 'handler.mjs', memory: 176.9, timeout: 1000, limitMemory: true, env: {} }

const NOTHING: Usage = { cpu: 10, peakMemory: 50, longestBlock: 0 }

/** What the run says after this work of invocations, and what the ledger counts. */
function open(options: object = {}) {
  const ledger = new OpenLedger()
  const findings = new Findings({ ...OPTIONS, ...options } as FunctionOptions, ledger)
  return { findings, ledger, counts: () => ledger.total({ visible: 0, queue: 0, deadLetter: 0 }) }
}

/** What the run says after invocations with this usage. */
function after(usages: readonly (Partial<Usage> & { isOfLibrary?: boolean })[], options: object = {}) {
  const { findings, counts } = open(options)
  for (const { isOfLibrary = false, ...usage } of usages) {
    const library = isOfLibrary ? libraryReport({}) : undefined
    findings.add({ type: 'response', payload: '', usage: { ...NOTHING, ...usage }, library })
  }
  const { failures, wouldTimeOut } = counts()
  if (wouldTimeOut !== failures.length) throw new Error('the ledger differs')
  return { lines: findings.lines(), failures }
}

/** What the run says about this work of invocations, and whether each of them fails the run. */
function afterLeft(invocations: readonly LeftWork[][][]) {
  const { findings, counts } = open()
  const fails = invocations.map((left) => {
    const before = counts().respondedEarly
    findings.left(left.flat())
    return counts().respondedEarly > before
  })
  return { lines: findings.lines(), fails }
}

const work = (what: string, count: number, kind: LeftKind = 'late', place?: string): LeftWork[] =>
  Array(count).fill({ kind, what, place })

test('a run that used little has no findings', async (t) => {
  t.strictSame(after([]), { lines: [], failures: [] })
  t.strictSame(after([{}, {}]), { lines: [], failures: [] })
})

test('more than 90 % of the memory is a finding, with the highest use of all invocations', async (t) => {
  const memory = 1000
  t.strictSame(after([{ peakMemory: 900 }], { memory }).lines, [])
  t.strictSame(after([{ peakMemory: 900.6 }, { peakMemory: 100 }], { memory }).lines, [
    'the process used up to 901 MB of memory, and the function has 1000 MB. Lambda ends a process that needs more: use --memory or --template for another size',
  ])
  t.strictSame(after([{ peakMemory: 920 }], { memory, file: 'handler.ts' }).lines, [], 'TypeScript needs 20 MB more')
})

test('without a memory size, more than 110 % of the default is a finding', async (t) => {
  const unlimited = { memory: undefined, limitMemory: undefined }
  t.strictSame(after([{ peakMemory: 563 }], unlimited).lines, [])
  t.strictSame(after([{ peakMemory: 564 }], unlimited).lines, [
    'the process used up to 564 MB of memory, and the function has 512 MB by default. Lambda ends a process that needs more: use --memory or --template for another size',
  ])
})

/** The end of a text about an invocation that used this many seconds of CPU time. */
const used = (cpu: string, needed: string, how = '') =>
  `used ${cpu} s of CPU time${how}. With 176.9 MB, a function has 10 % of a core, so this takes at least ${needed} s, and the timeout is 1.0 s`

test('an invocation whose CPU time needs up to twice the timeout is a warning', async (t) => {
  t.strictSame(after([{ cpu: 100 }]).lines, [], 'exactly the timeout')
  t.strictSame(after([{ cpu: 20 }, { cpu: 150 }, { cpu: 30 }]), {
    lines: [`1 invocation may time out on Lambda. The slowest ${used('0.1', '1.5')}`],
    failures: [],
  })
  t.strictSame(after([{ cpu: 200 }, { cpu: 110 }]).lines, [
    `2 invocations may time out on Lambda. The slowest ${used('0.2', '2.0')}`,
  ])
})

test('an invocation without this library that needs more than twice the timeout fails the run', async (t) => {
  const { lines, failures } = after([{ cpu: 250 }, { cpu: 410 }])
  t.strictSame(lines, [`2 invocations would time out on Lambda. The slowest ${used('0.4', '4.1')}`])
  t.strictSame(failures, [`an invocation ${used('0.3', '2.5')}`, `an invocation ${used('0.4', '4.1')}`])
  const equal = after([{ cpu: 250 }, { cpu: 250, longestBlock: 250 }]).lines
  t.strictSame(equal, [`2 invocations would time out on Lambda. The slowest ${used('0.3', '2.5')}`], 'the first one')
})

test('without a memory size, the prediction is only a warning', async (t) => {
  t.strictSame(after([{ cpu: 8680 }], { memory: undefined, timeout: undefined }).lines, [])
  const slow = after([{ cpu: 90_000, longestBlock: 90_000 }], {
    memory: undefined,
    limitMemory: false,
    timeout: undefined,
  })
  t.match(slow.lines, [/^1 invocation may time out on Lambda\. The slowest used 90\.0 s /])
  t.strictSame(slow.failures, [])
})

test('a batch of this library ends early instead', async (t) => {
  t.strictSame(after([{ cpu: 250, longestBlock: 200, isOfLibrary: true }]), {
    lines: [
      `1 invocation would end early on Lambda, and the rest of its batch would be redelivered. The slowest ${used('0.3', '2.5')}`,
    ],
    failures: [],
  })
})

test('a block of the thread that needs more than twice the timeout fails the run, also with this library', async (t) => {
  const text = used('0.2', '2.0', ' without a return to the event loop')
  t.strictSame(after([{ cpu: 250, longestBlock: 201, isOfLibrary: true }]), {
    lines: [`1 invocation would time out on Lambda. The slowest ${text}`],
    failures: [`an invocation ${text}`],
  })
})

test('all threads share the CPU, but a block has at most one core', async (t) => {
  const large = { memory: 3538, timeout: 1000 }
  t.strictSame(after([{ cpu: 2000 }], large).lines, [])
  t.match(after([{ cpu: 2000, longestBlock: 1500, isOfLibrary: true }], large).lines, [/^1 invocation would end early/])
})

const LOST = 'Lambda freezes the environment after the response, so this work is late or lost. Await it'

test('work that an invocation left fails the run, with the most frequent work first', async (t) => {
  t.strictSame(afterLeft([[work('a', 2, 'late', 'h.mjs:1')]]), {
    lines: [`1 invocation responded before its work had ended: 2 × a (h.mjs:1). ${LOST}`],
    fails: [true],
  })
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f'].map((what, index) => work(what, 6 - index))
  t.strictSame(afterLeft([kinds, [work('g', 9)]]), {
    lines: [`2 invocations responded before their work had ended: 9 × g, 6 × a, 5 × b, 4 × c, 3 × d. ${LOST}`],
    fails: [true, true],
  })
})

test('work of one kind is named once, with the first line of the handler, or else of a package', async (t) => {
  const inPackage = 'the client of pg'
  const request = (count: number, place?: string) => work('GET http://example.com', count, 'late', place)
  const named = (...left: LeftWork[][]) => afterLeft([left]).lines[0]?.match(/had ended: (.*?)\. Lambda/)?.[1]
  t.equal(named(request(1), request(2, inPackage)), `3 × GET http://example.com (${inPackage})`)
  t.equal(
    named(request(1, inPackage), request(2, 'h.mjs:6'), request(3, 'h.mjs:7'), request(4, inPackage)),
    '10 × GET http://example.com (h.mjs:6)',
  )
  t.equal(named(request(1)), '1 × GET http://example.com')
})

test('telemetry, timers and intervals are one warning each, with every place of a timer', async (t) => {
  const places = [
    work('a timer', 2, 'timer', 'h.mjs:1'),
    work('a timer', 1, 'timer', 'h.mjs:2'),
    work('an interval', 3, 'interval', 'h.mjs:3'),
    work('an interval', 1, 'interval', 'h.mjs:4'),
    work('POST http://collector', 1, 'telemetry', 'the client of @opentelemetry/otlp-exporter-base'),
  ]
  const { lines, fails } = afterLeft([places])
  t.strictSame(fails, [false])
  t.match(lines, [
    /^telemetry was still being sent after a response: 1 × POST http:\/\/collector \(the client of @opentelemetry\/\S+\)\. /,
    /^timers that invocations had started were left at the end of the run: 2 × a timer \(h\.mjs:1\), 1 × a timer \(h\.mjs:2\)\. /,
    /^not judged: what is done in 3 × an interval \(h\.mjs:3\), 1 × an interval \(h\.mjs:4\)\. /,
  ])
  t.equal(lines.length, 3)
})

test('weak evidence is a warning, and is not named beside work that fails the run', async (t) => {
  const weak = work('a call to port 5432', 1, 'once', 'h.mjs:1')
  t.strictSame(afterLeft([[weak], []]), {
    lines: [
      'after a response, an answer arrived for 1 × a call to port 5432 (h.mjs:1). If the handler needs it, await it. ' +
        'This does not fail the run, because it was seen in only one invocation of a process. A client may have opened a ' +
        'connection. To be sure, run more invocations: use more --messages, or a smaller --batch-size',
    ],
    fails: [false, false],
  })
  t.strictSame(afterLeft([[weak], [weak, work('a', 1)]]), {
    lines: [`1 invocation responded before its work had ended: 1 × a. ${LOST}`],
    fails: [false, true],
  })
})

test('whether the handler reads nothing is known from the events that were looked at', async (t) => {
  function linesAfter(...unreads: Outcome['unread'][]) {
    const { findings } = open()
    for (const unread of unreads) findings.add({ type: 'response', payload: '', unread })
    return findings.lines()
  }
  const line = /^the handler read no property of any record/
  t.match(linesAfter('all', 'all'), [line])
  t.strictSame(linesAfter('all', [], 'all'), [])
  t.match(linesAfter('all', undefined), [line])
  t.strictSame(linesAfter(undefined), [])
  t.strictSame(linesAfter([]), [])
  const { findings: failed } = open()
  failed.add({ type: 'error', message: 'x', unread: 'all' })
  t.strictSame(failed.lines(), [], 'an invocation that failed has not processed its records')
})

test('a process that dies between two events', async (t) => {
  const { findings, counts } = open()
  findings.died('the process ended')
  const reasons = { 'the process ended': 1 }
  t.match(counts(), { diedBetween: 1, failures: ['the process ended'], reasons })
})
