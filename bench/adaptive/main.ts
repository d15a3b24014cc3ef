// Compares adaptiveConcurrency() with fixed numbers. See results/adaptive.md.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compareOverHttp, FULL, QUICK } from './http.ts'
import { printSimulation } from './simulate.ts'

const USAGE = `Usage: npm run bench:adaptive -- --simulate | --http [--quick]

  --simulate  uses simulated downstreams. Takes a few minutes
  --http      uses real HTTP servers. Takes about two hours, on a machine that does nothing else. Writes
              bench/results/adaptive-http.*, and skips the cases whose results are there. To measure them again,
              delete these files
  --quick     with --http: runs small batches once. Takes a few minutes. Writes to a temporary folder`

const { values } = parseArgs({
  options: { simulate: { type: 'boolean' }, http: { type: 'boolean' }, quick: { type: 'boolean' } },
})
if (values.simulate) printSimulation()
else if (values.http && values.quick) {
  await compareOverHttp({ ...QUICK, folder: await mkdtemp(join(tmpdir(), 'bench-adaptive-')) })
} else if (values.http) await compareOverHttp({ ...FULL, folder: join(import.meta.dirname, '../results') })
else {
  console.error(USAGE)
  process.exitCode = 2
}
