// Hostile input: the outcome must be a report of exactly the records that did not succeed, or one named error.
// Each test file prints its seed. `FUZZ_SEED=… node test/fuzz/handlers.test.ts` repeats a run, and `FUZZ_RUNS=1000000`
// makes a longer one.
import middy7 from '@middy/core'
import type { SQSBatchResponse } from 'aws-lambda'
import fc from 'fast-check'
import middy6 from 'middy-core-6'
import t from 'tap'
import { settled } from './clock.ts'
import { failed } from './handlers.ts'
import { logged } from './output.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 20_000)
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
if (process.env.FUZZ_RUNS) t.setTimeout(0)
t.comment(`FUZZ_SEED=${seed}`)

export const SECRET = 'secret-of-a-body'
export function oneOf(...values: string[]) {
  return fc.constantFrom(...values)
}

export function keyOf(catalogue: object) {
  return oneOf(...Object.keys(catalogue))
}
export const core = fc.constantFrom(6, 7)
export function middyOf(version: number) {
  return version === 6 ? (middy6 as unknown as typeof middy7) : middy7
}

export const anything = fc.anything({
  withNullPrototype: true,
  withObjectString: true,
  withDate: true,
  withSparseArray: true,
})

// An error that would kill the function's process fails the case in which it occurs.
export const strays: unknown[] = []
for (const kind of ['unhandledRejection', 'uncaughtException'] as const) {
  const note = (error: unknown) => strays.push(error)
  process.on(kind, note)
  t.teardown(() => process.off(kind, note))
}

/** Runs a property with this share of the runs. Each case has its own `console.error`. */
export async function check<T>(share: number, cases: fc.Arbitrary<T>, run: (input: T) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(cases, async (input) => {
    const lines = await logged(async () => {
      await run(input)
      await settled()
    })
    if (strays.length > 0) throw new Error('Something was left unhandled', { cause: strays.splice(0) })
    if (lines.some((line) => line.includes(SECRET))) throw new Error('The log has a body in it')
  })
  await fc.assert(property, { numRuns: Math.ceil(share * RUNS), seed })
}

export function equal(what: string, actual: unknown, expected: unknown): void {
  const [came, due] = [actual, expected].map((value) => JSON.stringify(value) ?? String(value))
  if (came !== due) throw new Error(`${what}: expected ${due?.slice(0, 500)}, got ${came?.slice(0, 500)}`)
}

export type Outcome = { readonly response: unknown } | { readonly error: unknown }

/** The outcomes of these invocations. `pass` lets time pass. Too many steps without an outcome are an error. */
export async function outcomesOf(results: Promise<unknown>[], pass = () => {}): Promise<Outcome[]> {
  let outcomes: Outcome[] | undefined
  void Promise.allSettled(results).then((settled) => {
    outcomes = settled.map((result) => {
      return result.status === 'fulfilled' ? { response: result.value } : { error: result.reason }
    })
  })
  for (let step = 0; step < 25; step++) {
    await settled()
    if (outcomes) return outcomes
    pass()
  }
  throw new Error('It hangs')
}

export async function outcomeOf(result: Promise<unknown>): Promise<Outcome> {
  return (await outcomesOf([result]))[0] as Outcome
}

/** The ids of a response. Anything else in it is an error. */
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
