import { test } from 'tap'
import type { FunctionOptions } from '../../src/local/simulator/environment.ts'
import { openFindings } from '../../src/local/simulator/findings.ts'
import type { LeftWork } from '../../src/local/simulator/late-work.ts'
import type { Usage } from '../../src/local/simulator/usage.ts'

/** A tenth of a core, and a timeout of 1 s. */
const OPTIONS = { file: 'handler.mjs', memory: 176.9, timeout: 1000, limitMemory: true, env: {} }

/** What the run says after invocations with this usage. */
function after(usages: readonly Partial<Usage>[], options: object = {}) {
  const findings = openFindings({ ...OPTIONS, ...options } as FunctionOptions)
  for (const usage of usages) findings.add({ cpu: 10, peakMemory: 50, ...usage })
  return findings.lines()
}

/** What the run says about this work of invocations, and whether each of them fails the run. */
function afterLeft(invocations: readonly LeftWork[][]) {
  const findings = openFindings(OPTIONS as FunctionOptions)
  const fails = invocations.map((left) => findings.addLeft(left))
  return { lines: findings.lines(), fails }
}

const work = (what: string, count: number, isWeak = false): LeftWork => ({ what, count, isWeak })

test('a run that used little has no findings', async (t) => {
  t.strictSame(after([]), [])
  t.strictSame(after([{}, {}]), [])
})

test('more than 90 % of the memory is a finding, with the highest use of all invocations', async (t) => {
  const memory = 1000
  t.strictSame(after([{ peakMemory: 900 }], { memory }), [])
  t.strictSame(after([{ peakMemory: 900.6 }, { peakMemory: 100 }], { memory }), [
    'the process used up to 901 MB of memory, and the function has 1000 MB. Lambda ends a process that needs more',
  ])
  t.strictSame(after([{ peakMemory: 920 }], { memory, file: 'handler.ts' }), [], 'TypeScript needs 20 MB more')
})

test('without a memory size, more than 110 % of the default is a finding', async (t) => {
  const unlimited = { memory: undefined, limitMemory: undefined }
  t.strictSame(after([{ peakMemory: 563 }], unlimited), [])
  t.strictSame(after([{ peakMemory: 564 }], unlimited), [
    'the process used up to 564 MB of memory, more than the default of 512 MB. Lambda ends such a process: set --memory or --template to the memory of the function',
  ])
})

test('an invocation whose CPU time needs more than the timeout at the CPU share of the function is a finding', async (t) => {
  t.strictSame(after([{ cpu: 100 }]), [], 'exactly the timeout')
  const rest =
    'used 0.3 s of CPU time. With 176.9 MB, a function has 10 % of a core, so this takes at least 2.5 s, and the timeout is 1.0 s'
  t.strictSame(after([{ cpu: 20 }, { cpu: 250 }, { cpu: 30 }]), [
    `1 invocation would time out on Lambda. The slowest ${rest}`,
  ])
  t.strictSame(after([{ cpu: 250 }, { cpu: 110 }]), [`2 invocations would time out on Lambda. The slowest ${rest}`])
  t.strictSame(after([{ cpu: 8680 }], { memory: undefined, timeout: undefined }), [], '30 s with 512 MB')
  t.strictSame(after([{ cpu: 8690 }], { memory: undefined, timeout: undefined }).length, 1)
})

const LOST = 'Lambda freezes the environment after the response, so this work is late or lost. Await it'

test('work that an invocation left fails the run, with the most frequent work first', async (t) => {
  t.strictSame(afterLeft([[work('a (h.mjs:1)', 2)]]), {
    lines: [`1 invocation responded before its work had ended: 2 × a (h.mjs:1). ${LOST}`],
    fails: [true],
  })
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f'].map((what, index) => work(what, 6 - index))
  t.strictSame(afterLeft([kinds, [work('g', 9)]]), {
    lines: [`2 invocations responded before their work had ended: 9 × g, 6 × a, 5 × b, 4 × c, 3 × d. ${LOST}`],
    fails: [true, true],
  })
})

test('weak evidence is a warning, and is not named beside work that fails the run', async (t) => {
  const weak = work('a call to port 5432 (h.mjs:1)', 1, true)
  t.strictSame(afterLeft([[weak], []]), {
    lines: [
      'after a response, an answer arrived for 1 × a call to port 5432 (h.mjs:1). If the handler needs it, await it. ' +
        'This does not fail the run, because it was seen in only one invocation of a process, and a client may have opened ' +
        'a connection. To be sure, run more invocations: use a smaller --batch-size',
    ],
    fails: [false, false],
  })
  t.strictSame(afterLeft([[weak], [weak, work('a', 1)]]), {
    lines: [`1 invocation responded before its work had ended: 1 × a. ${LOST}`],
    fails: [false, true],
  })
})
