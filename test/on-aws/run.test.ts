import t from 'tap'
import type { Aws } from './aws.ts'
import type { Experiment, Proof } from './experiments.ts'
import { run } from './run.ts'

function experiment(name: string, changes: Partial<Experiment> = {}): Experiment {
  return { name, expected: 'yes', observe: async () => ({ observed: 'yes', asExpected: true }), ...changes }
}

/** What the calls of AWS return. The others return nothing. */
const RESULTS = { region: 'eu-west-1', failuresOf: [], resourcesOf: new Map(), drain: [], logLines: [] }

/** An AWS whose calls succeed, except for those in `calls`. `called` receives the name of each call. */
function fakeAws(called: string[], calls: Partial<Aws>): Aws {
  return new Proxy(calls as Aws, {
    get: (_calls, name: keyof Aws) =>
      async function call(...args: never[]) {
        called.push(name)
        const own = calls[name] as ((...args: never[]) => unknown) | undefined
        return own ? own(...args) : RESULTS[name as keyof typeof RESULTS]
      },
  })
}

/** A run of experiments on a fake AWS. Returns its result, the calls of AWS, and the printed lines. */
async function runOn(calls: Partial<Aws>, experiments: readonly Experiment[], signal = new AbortController().signal) {
  const called: string[] = []
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  const result = await run({ aws: fakeAws(called, calls), id: '1', experiments, signal, print, pace: 0.001 })
  const verdicts = result.outcomes.map(({ name, verdict, observed }) => `${name}: ${verdict}: ${observed}`)
  return { verdicts, left: result.left, called, lines }
}

t.test('all experiments send before the first observes, and the stack is removed at the end', async (t) => {
  const order: string[] = []
  const one = (name: string) =>
    experiment(name, {
      send: async () => order.push(`send ${name}`),
      async observe() {
        order.push(`observe ${name}`)
        return { observed: name, asExpected: name === 'a' }
      },
    })
  const { verdicts, left, called } = await runOn({}, [one('a'), one('b')])
  t.strictSame(order, ['send a', 'send b', 'observe a', 'observe b'])
  t.strictSame(verdicts, ['a: as expected: a', 'b: differs: b'])
  t.strictSame([called[0], called.at(-1)], ['createStack', 'deleteStack'])
  t.equal(left, undefined)
})

t.test('an experiment that cannot send or observe does not end the others', async (t) => {
  const fails = async () => {
    throw new Error('the queue is gone\n    more lines')
  }
  const { verdicts, called } = await runOn({}, [
    experiment('a', { send: fails }),
    experiment('b', { observe: fails }),
    experiment('c'),
  ])
  t.strictSame(verdicts, [
    'a: not observed: the queue is gone',
    'b: not observed: the queue is gone',
    'c: as expected: yes',
  ])
  t.equal(called.at(-1), 'deleteStack')
})

t.test('a stack that cannot be created: the reasons, and the stack is removed', async (t) => {
  const calls = {
    waitUntilCreated: () => Promise.reject(new Error('{"state":"FAILURE"}')),
    failuresOf: async () => ['Role: not authorized to perform iam:CreateRole'],
  }
  const { verdicts, left, called } = await runOn(calls, [experiment('a')])
  t.strictSame(verdicts, [
    'a: not observed: the stack could not be created: Role: not authorized to perform iam:CreateRole',
  ])
  t.equal(called.at(-1), 'deleteStack')
  t.equal(left, undefined)
})

t.test('an error while the stack is created or the code is uploaded: the stack is removed', async (t) => {
  const error = Object.assign(new Error('no such action'), { name: 'AccessDenied' })
  for (const call of ['createStack', 'failuresOf', 'resourcesOf', 'upload'] as const) {
    const refused = () => Promise.reject(error)
    const waits = call === 'failuresOf' ? { waitUntilCreated: refused } : {}
    const { verdicts, called } = await runOn({ ...waits, [call]: refused }, [experiment('a')])
    t.strictSame(verdicts, ['a: not observed: AccessDenied: no such action'], call)
    t.equal(called.at(-1), 'deleteStack', call)
  }
})

t.test('Ctrl-C during an experiment ends its wait; later ones are not performed; the stack is removed', async (t) => {
  const controller = new AbortController()
  async function observe(proof: Proof) {
    controller.abort(new Error('interrupted by SIGINT'))
    await proof.until(
      3600_000,
      async () => 0,
      () => false,
    )
    return { observed: 'yes', asExpected: true }
  }
  const experiments = [
    experiment('a'),
    experiment('b', { observe }),
    experiment('c', { observe: async () => t.fail('observed') as never }),
  ]
  const { verdicts, called, left } = await runOn({}, experiments, controller.signal)
  t.strictSame(verdicts, [
    'a: as expected: yes',
    'b: not observed: interrupted by SIGINT',
    'c: not observed: interrupted by SIGINT',
  ])
  t.equal(called.at(-1), 'deleteStack')
  t.equal(left, undefined)
})

t.test('Ctrl-C while messages are sent: later experiments send nothing', async (t) => {
  const controller = new AbortController()
  const send = async () => controller.abort(new Error('interrupted by SIGINT'))
  const experiments = [experiment('a', { send }), experiment('b', { send: async () => t.fail('sent') })]
  const { verdicts } = await runOn({}, experiments, controller.signal)
  t.strictSame(verdicts, ['a: not observed: interrupted by SIGINT', 'b: not observed: interrupted by SIGINT'])
})

t.test('a stack that cannot be removed: its resources, or all if even they cannot be read', async (t) => {
  const deleteStack = () => Promise.reject(new Error('DELETE_FAILED'))
  const resourcesOf = async () =>
    new Map([
      ['Logs', 'log-group-1'],
      ['Role', 'role-1'],
    ])
  t.match((await runOn({ deleteStack, resourcesOf }, [])).left, '\nIt contains: Logs log-group-1, Role role-1\n')
  const unreadable = () => Promise.reject(new Error('expired'))
  const { left } = await runOn({ deleteStack, resourcesOf: unreadable }, [])
  t.match(left, '\nIt contains: all resources of the run\n')
})

t.test('a removal that fails once is repeated', async (t) => {
  let tries = 0
  const deleteStack = async () => {
    if (++tries === 1) throw new Error('DELETE_FAILED')
  }
  const { left } = await runOn({ deleteStack }, [])
  t.equal(left, undefined)
  t.equal(tries, 2)
})

t.test(
  'the log: notes in order, as Lambda wraps them and as `local` writes them, and reports of the same function only',
  async (t) => {
    const note = (fields: object) => JSON.stringify({ note: 'respond', order: 1, ...fields })
    const report = (requestId: string, status: string) =>
      JSON.stringify({ type: 'platform.report', record: { requestId, status, metrics: { durationMs: 12.5 } } })
    const texts = [
      note({ requestId: '1', order: 2, title: 'plain' }),
      JSON.stringify({ level: 'INFO', message: note({ requestId: '2', title: 'wrapped' }) }),
      note({ requestId: '2', title: 'second', order: 9 }),
      JSON.stringify({ note: 'loop', requestId: '3' }),
      JSON.stringify({ level: 'INFO', message: 'no JSON' }),
      'no JSON',
      'null',
      report('2', 'success'),
      report('3', 'timeout'),
    ]
    const logLines = async () => texts.map((text, index) => ({ at: Math.floor(index / 2), text })).reverse()
    const seen: unknown[] = []
    async function observe(proof: Proof) {
      seen.push(await proof.notes('respond'), await proof.reports('respond'))
      return { observed: 'yes', asExpected: true }
    }
    await runOn({ logLines }, [experiment('a', { observe })])
    t.strictSame(seen, [
      [
        { at: 0, note: 'respond', order: 1, requestId: '2', title: 'wrapped' },
        { at: 0, note: 'respond', order: 2, requestId: '1', title: 'plain' },
        { at: 1, note: 'respond', order: 9, requestId: '2', title: 'second' },
      ],
      [{ requestId: '2', status: 'success', durationMs: 12.5 }],
    ])
  },
)

t.test('dead letters are kept, and belong to the function that they were sent to', async (t) => {
  const batches = [['{"name":"respond","title":"a"}', '{"name":"loop","round":16}'], ['{"name":"respond","title":"b"}']]
  const seen: unknown[] = []
  async function observe(proof: Proof) {
    for (const name of ['respond', 'respond', 'loop'] as const) seen.push([...(await proof.deadLetters(name))])
    return { observed: 'yes', asExpected: true }
  }
  await runOn({ drain: async () => batches.shift() ?? [] }, [experiment('a', { observe })])
  const [a, b] = [
    { name: 'respond', title: 'a' },
    { name: 'respond', title: 'b' },
  ]
  t.strictSame(seen, [[a], [a, b], [{ name: 'loop', round: 16 }]])
})
