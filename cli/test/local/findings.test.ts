import { test } from 'tap'
import type { FunctionOptions } from '../../src/local/simulator/environment.ts'
import { openFindings } from '../../src/local/simulator/findings.ts'
import type { LeftWork, Usage } from '../../src/local/simulator/usage.ts'

/** A tenth of a core, and a timeout of 1 s. */
const OPTIONS = { file: 'handler.mjs', memory: 176.9, timeout: 1000, limitMemory: true, env: {} }

/** What the run says after invocations with this usage, and whether each of them left work that is lost. */
function after(usages: readonly Partial<Usage>[], options: object = {}) {
  const findings = openFindings({ ...OPTIONS, ...options } as FunctionOptions)
  const lost = usages.map((usage) => findings.add({ cpu: 10, peakMemory: 50, ...usage }))
  return { lines: findings.lines(), lost }
}

const timer = (count: number, isOfPackage = false): LeftWork => ({ what: 'timer at a.mjs:1', count, isOfPackage })

test('a run that used little has no findings', async (t) => {
  t.strictSame(after([]), { lines: [], lost: [] })
  t.strictSame(after([{}, { left: [] }]), { lines: [], lost: [false, false] })
})

test('more than 90 % of the memory is a finding, with the highest use of all invocations', async (t) => {
  const memory = 1000
  t.strictSame(after([{ peakMemory: 900 }], { memory }).lines, [])
  t.strictSame(after([{ peakMemory: 900.6 }, { peakMemory: 100 }], { memory }).lines, [
    'the process used up to 901 MB of memory, and the function has 1000 MB. Lambda ends a process that needs more',
  ])
  t.strictSame(after([{ peakMemory: 920 }], { memory, file: 'handler.ts' }).lines, [], 'TypeScript needs 20 MB more')
})

test('without a memory size, more than 110 % of the default is a finding', async (t) => {
  const unlimited = { memory: undefined, limitMemory: undefined }
  t.strictSame(after([{ peakMemory: 563 }], unlimited).lines, [])
  t.strictSame(after([{ peakMemory: 564 }], unlimited).lines, [
    'the process used up to 564 MB of memory, more than the default of 512 MB. Lambda ends such a process: set --memory or --template to the memory of the function',
  ])
})

test('an invocation whose CPU time needs more than the timeout at the CPU share of the function is a finding', async (t) => {
  t.strictSame(after([{ cpu: 100 }]).lines, [], 'exactly the timeout')
  const rest =
    'used 0.3 s of CPU time. With 176.9 MB, a function has 10 % of a core, so this takes at least 2.5 s, and the timeout is 1.0 s'
  t.strictSame(after([{ cpu: 20 }, { cpu: 250 }, { cpu: 30 }]).lines, [
    `1 invocation would time out on Lambda. The slowest ${rest}`,
  ])
  t.strictSame(after([{ cpu: 250 }, { cpu: 110 }]).lines, [
    `2 invocations would time out on Lambda. The slowest ${rest}`,
  ])
  t.strictSame(after([{ cpu: 8680 }], { memory: undefined, timeout: undefined }).lines, [], '30 s with 512 MB')
  t.strictSame(after([{ cpu: 8690 }], { memory: undefined, timeout: undefined }).lines.length, 1)
})

test('work after the response is a finding, with the most frequent work first', async (t) => {
  const rest =
    'Lambda freezes the environment after the response, so this work is late or lost. Await it. If a timer is only a time limit, clear it or call its unref()'
  t.strictSame(after([{ left: [timer(2)] }]), {
    lines: [`1 invocation responded before its work had ended: 2 × timer at a.mjs:1. ${rest}`],
    lost: [true],
  })
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f'].map((what, index) => ({ what, count: 6 - index, isOfPackage: false }))
  t.strictSame(after([{ left: [] }, { left: kinds }, { left: [timer(9, true)] }]), {
    lines: [
      `2 invocations responded before their work had ended: 9 × timer at a.mjs:1, 6 × a, 5 × b, 4 × c, 3 × d. ${rest}`,
    ],
    lost: [false, true, false],
  })
})

test('work of a package, or in an environment that is not frozen, is not lost', async (t) => {
  t.strictSame(after([{ left: [timer(1, true)] }, { left: [timer(1, true), timer(1)] }]).lost, [false, true])
  t.strictSame(after([{ left: [timer(1)] }], { freeze: false }).lost, [false])
})
