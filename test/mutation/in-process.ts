// A test runner for StrykerJS that tests many mutants in one process. Loading the command-line tool and tap takes a
// second, and its tests take milliseconds. Stryker's own runner for commands starts a process for each mutant.
//
// All mutants of a file are in its code, and a global variable says which of them is active. Stryker starts another
// process only for a mutant of code that runs when the module is loaded.
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import { testFilesOf } from './tests.ts'

// tap sends its timeout to its parent process. Here that is Stryker, which ends with an error.
const { send } = process
delete process.send
const tap = await import('tap')
tap.t.setTimeout(0) // it has no tests of its own, and must not end after 30 s
if (send) process.send = send

type TestFunction = (t: Test) => unknown
interface LoadedTest {
  readonly id: string
  readonly fileName: string
  readonly run: TestFunction
}

/** What Stryker's instrumented code reads and writes. */
interface Instrumented {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  /** Which mutants a test reaches. */
  mutantCoverage?: unknown
  hitCount?: number | undefined
  hitLimit?: number | undefined
}

interface MutantRun {
  readonly activeMutant: { readonly id: string }
  /** `static`: the mutant must be active while the modules are loaded. */
  readonly mutantActivation: 'runtime' | 'static'
  readonly testFilter?: readonly string[]
  readonly hitLimit?: number
}

const globals = globalThis as { __stryker__?: Instrumented }
globals.__stryker__ ??= {}
const instrumented = globals.__stryker__

class InProcessRunner {
  #tests: LoadedTest[] | undefined
  /** The last mutant changed something that the tests need, for example a cache. */
  #isDirty = false
  #mutants = 0

  capabilities() {
    return { reloadEnvironment: false }
  }

  /** Runs all tests without a mutant. */
  async dryRun() {
    const tests = []
    for (const test of await this.#load()) {
      const started = performance.now()
      instrumented.currentTestId = test.id
      const failureMessage = await failureOf(test)
      instrumented.currentTestId = undefined
      const { id, fileName } = test
      const timeSpentMs = performance.now() - started
      tests.push({ id, name: id, fileName, timeSpentMs, status: failureMessage === undefined ? 0 : 1, failureMessage })
    }
    return { status: 'complete', tests, mutantCoverage: instrumented.mutantCoverage }
  }

  /** Runs the tests that reach the mutant until one of them fails. */
  async mutantRun({ activeMutant: { id }, mutantActivation, testFilter, hitLimit }: MutantRun) {
    if (this.#isDirty) throw new Error('The last mutant needs another process') // Stryker starts it, and tries again
    this.#mutants += 1
    Object.assign(instrumented, { hitLimit, hitCount: hitLimit === undefined ? undefined : 0 })
    if (mutantActivation === 'static') instrumented.activeMutant = id
    const tests = (await this.#load()).filter((test) => testFilter?.includes(test.id) ?? true)
    for (const [index, test] of tests.entries()) {
      instrumented.activeMutant = id
      const failureMessage = await failureOf(test)
      instrumented.activeMutant = undefined
      const nrOfTests = index + 1
      if (instrumented.hitCount !== undefined && instrumented.hitCount > (hitLimit ?? Infinity)) {
        this.#isDirty = true
        return { status: 'timeout', reason: 'It ran too often', nrOfTests }
      }
      if (failureMessage === undefined) continue
      // The test must pass without the mutant. Otherwise, an earlier mutant may have made it fail.
      if (mutantActivation === 'runtime' && (await failureOf(test)) !== undefined) {
        this.#isDirty = true
        if (this.#mutants > 1) throw new Error('An earlier mutant may have made the test fail')
      }
      return { status: 'killed', killedBy: [test.id], failureMessage, nrOfTests }
    }
    return { status: 'survived', nrOfTests: tests.length }
  }

  async #load() {
    this.#tests ??= await loadTests(testFilesOf(process.env.MUTATED_SOURCE as string))
    return this.#tests
  }
}

/** Imports the test files, and collects their tests instead of running them. */
async function loadTests(files: readonly string[]): Promise<LoadedTest[]> {
  const tests: LoadedTest[] = []
  let fileName = ''
  const collector = {
    test: (title: string, run: TestFunction) => tests.push({ id: `${fileName}: ${title}`, fileName, run }),
  }
  Object.assign(globalThis, { collector })
  const url = 'data:text/javascript,export const { test } = globalThis.collector'
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'tap' ? { url, shortCircuit: true } : next(specifier, context),
  })
  for (const file of files) {
    fileName = resolve(file)
    await import(pathToFileURL(file).href)
  }
  hooks.deregister()
  return tests
}

/** Runs a test. Returns the message of its first failure. */
async function failureOf({ id, run }: LoadedTest): Promise<string | undefined> {
  const root = new tap.Test({ name: id })
  root.resume() // its output is not needed
  await root.test(id, async (t) => run(t as Test))
  root.end()
  const [failed] = root.lists.fail
  return root.passing() ? undefined : (failed?.fullname ?? 'failed')
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner }]
