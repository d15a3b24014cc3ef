// Tests with random hostile input. Each outcome must be an exact report or an expected error.
// `FUZZ_RUNS=1000000` makes them longer.
import type { SQSBatchResponse } from 'aws-lambda'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { settled } from './clock.ts'
import { failed } from './handlers.ts'
import { logged } from './output.ts'
import { seeded } from './seed.ts'

const DEFAULT_RUNS = 10_000
const RUNS = Number(process.env.FUZZ_RUNS ?? DEFAULT_RUNS)
if (process.env.FUZZ_RUNS) t.setTimeout(0)

export const SECRET = 'secret-of-a-body'
export function oneOf(...values: string[]) {
  return fc.constantFrom(...values)
}

export function keyOf(catalogue: object) {
  return oneOf(...Object.keys(catalogue))
}

export const anything = fc.anything({
  withNullPrototype: true,
  withObjectString: true,
  withDate: true,
  withSparseArray: true,
})

// An unhandled error would end the process of the function, so it fails the case in which it occurs.
export const unhandled: unknown[] = []
for (const kind of ['unhandledRejection', 'uncaughtException'] as const) {
  const note = (error: unknown) => unhandled.push(error)
  process.on(kind, note)
  t.teardown(() => process.off(kind, note))
}

/** Runs a property with this share of the runs, and checks the log and the unhandled errors of each case. */
export async function check<T>(share: number, cases: fc.Arbitrary<T>, run: (input: T) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(cases, async (input) => {
    const lines = await logged(async () => {
      await run(input)
      await settled()
    })
    if (unhandled.length > 0) throw new Error('An error was not handled', { cause: unhandled.splice(0) })
    if (lines.some((line) => line.includes(SECRET))) throw new Error('The log contains a body')
  })
  await fc.assert(property, { numRuns: Math.ceil(share * RUNS), ...seeded })
}

/**
 * Counts how many cases of each kind were generated. `check` fails if a kind is rare, because the test would then say
 * little about it. A run that is shorter than the default may have too few cases, so it is not checked.
 */
export function countKinds<K extends string>(...kinds: readonly K[]) {
  const counts = new Map(kinds.map((kind) => [kind, 0]))
  return {
    count(kind: K): void {
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    },
    check(test: Test, least = 10): void {
      test.comment([...counts].map(([kind, count]) => `${kind}: ${count}`).join(', '))
      const rare = [...counts].filter(([, count]) => count < least)
      test.strictSame(RUNS < DEFAULT_RUNS ? [] : rare, [], `there are at least ${least} cases of each kind`)
    },
  }
}

export function equal(what: string, actual: unknown, expected: unknown): void {
  const [got, wanted] = [actual, expected].map((value) => JSON.stringify(value) ?? String(value))
  if (got !== wanted) throw new Error(`${what}: expected ${wanted?.slice(0, 500)}, got ${got?.slice(0, 500)}`)
}

export type Outcome = { readonly response: unknown } | { readonly error: unknown }

/** The outcomes of these invocations. `pass` lets time pass. Throws if there are none after 125 steps, more than the time of a logger. */
export async function outcomesOf(results: Promise<unknown>[], pass = () => {}): Promise<Outcome[]> {
  let outcomes: Outcome[] | undefined
  void Promise.allSettled(results).then((settled) => {
    outcomes = settled.map((result) => {
      return result.status === 'fulfilled' ? { response: result.value } : { error: result.reason }
    })
  })
  for (let step = 0; step < 125; step++) {
    await settled()
    if (outcomes) return outcomes
    pass()
  }
  throw new Error('Expected the invocations to end within 125 steps')
}

export async function outcomeOf(result: Promise<unknown>, pass = () => {}): Promise<Outcome> {
  return (await outcomesOf([result], pass))[0] as Outcome
}

/** The ids of a response. Throws if the response contains anything else. */
export function reported(outcome: Outcome): string[] {
  if (!('response' in outcome)) throw new Error('Expected a response', { cause: outcome.error })
  const ids = failed(outcome.response as SQSBatchResponse)
  equal('response', outcome.response, { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) })
  return ids
}

/** Checks that the invocation failed with an error with this name and message. */
export function failsWith(outcome: Outcome, name: string, message = /./): void {
  if (!('error' in outcome)) throw new Error(`Expected ${name}, got ${JSON.stringify(outcome)}`)
  const error = outcome.error as Error
  if (error.name !== name || !message.test(error.message)) throw new Error(`Expected ${name}`, { cause: error })
}
