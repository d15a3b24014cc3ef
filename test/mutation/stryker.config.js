// See run.ts, which sets these variables for each source file.
const { MUTATED_SOURCE = '', MUTATION_REPORT } = process.env

// The tests of the library use timers, and a batch that never ends would disturb the next mutant: each mutant gets a
// process. What is tested of the command-line tool are functions that decide: one process tests many mutants.
const FRESH_PROCESS = {
  testRunner: 'command',
  // Limits the CPU time and not the time of the clock, which also passes while the machine is busy. Without a mutant, no
  // source file needs more than 6 s. A test that waits for a server without using the CPU fails after two minutes. The
  // compile cache halves the time of a run that ends early. With a seed, the random tests detect the same mutants in each run.
  commandRunner: {
    command:
      'ulimit -t 15; FUZZ_SEED=1 FUZZ_RUNS=1000 NODE_COMPILE_CACHE=.cache TAP_BAIL=1 TAP_TIMEOUT=120 ' +
      'node --no-warnings test/mutation/run-tests.ts',
  },
  timeoutMS: 600_000,
  coverageAnalysis: 'off',
  concurrency: 2,
}
const IN_PROCESS = {
  testRunner: 'in-process',
  plugins: ['./test/mutation/in-process.ts'],
  timeoutMS: 10_000, // most runs take 20 ms
  coverageAnalysis: 'perTest',
  maxTestRunnerReuse: 100, // tap keeps some memory of each test
  concurrency: 1, // a second process takes as long to start as most files need
}

export default {
  ...(MUTATED_SOURCE.startsWith('cli/') ? IN_PROCESS : FRESH_PROCESS),
  // The tests of `doctor` read a page.
  ignorePatterns: [
    '/*',
    '!/src',
    '!/test',
    '!/cli',
    '/cli/dist',
    '!/docs',
    '/docs/*',
    '!/docs/outages.md',
    '!/package.json',
  ],
  disableTypeChecks: false, // the tests run without a type check
  tsconfigFile: 'none', // Stryker calls an API that TypeScript 7 does not have
  incremental: true,
  incrementalFile: `${MUTATION_REPORT}.incremental.json`,
  jsonReporter: { fileName: MUTATION_REPORT },
  reporters: ['json', 'progress-append-only'],
}
