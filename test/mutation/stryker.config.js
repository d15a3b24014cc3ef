// See run.ts, which sets these variables for each source file.
const { MUTATION_REPORT } = process.env

export default {
  testRunner: 'command',
  // Limits the CPU time and not the time of the clock, which also passes while the machine is busy. Without a mutant, no
  // source file needs more than 6 s. A test that waits for a server without using the CPU fails after two minutes. The
  // compile cache halves the time of a run that ends early.
  commandRunner: {
    command:
      'ulimit -t 15; NODE_COMPILE_CACHE=.cache TAP_BAIL=1 TAP_TIMEOUT=120 node --no-warnings test/mutation/run-tests.ts',
  },
  timeoutMS: 600_000,
  coverageAnalysis: 'off',
  // The tests of the search for the limit use the simulator in bench/adaptive.
  ignorePatterns: ['/*', '!/src', '!/test', '!/bench', '/bench/*', '!/bench/adaptive', '!/package.json'],
  disableTypeChecks: false, // the tests run without a type check
  tsconfigFile: 'none', // Stryker calls an API that TypeScript 7 does not have
  incremental: true,
  incrementalFile: `${MUTATION_REPORT}.incremental.json`,
  jsonReporter: { fileName: MUTATION_REPORT },
  reporters: ['json', 'progress-append-only'],
  concurrency: 2,
}
