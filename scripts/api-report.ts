/**
 * Compares the public API with the reports in api/, so that a review shows every change of it. There is one report for
 * each entry in the `exports` of both packages. Exits with 1 if a report differs. With --update, it writes the reports
 * instead. The declarations in dist/ must be built before.
 */
import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const ROOT = resolve(import.meta.dirname, '..')
const REPORTS = join(ROOT, 'api')

const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } })
const work = await mkdtemp(join(tmpdir(), 'api-report-'))
try {
  await writeReports([...(await entriesOf(ROOT)), ...(await entriesOf(join(ROOT, 'cli')))])
  if (values.update) await update()
  else compare()
} finally {
  await rm(work, { recursive: true, force: true })
}

/** The configuration of API Extractor for each entry of a package. The reports go to the folder `work`. */
async function entriesOf(folder: string): Promise<ExtractorConfig[]> {
  const { exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  return Object.entries<{ types: string }>(exports).map(([entry, { types }]) =>
    ExtractorConfig.prepare({
      configObject: {
        projectFolder: folder,
        mainEntryPointFilePath: join(folder, types),
        compiler: { tsconfigFilePath: join(ROOT, 'tsconfig.json') },
        apiReport: {
          enabled: true,
          reportFileName: entry === '.' ? 'index' : entry.slice('./'.length),
          reportFolder: work,
          reportTempFolder: join(work, 'temp'),
          // A type that an exported function uses belongs to the API, even if it is not exported itself.
          includeForgottenExports: true,
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        newlineKind: 'lf',
        // The comments are not written for TSDoc, and the reports show which types are not exported.
        messages: {
          extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
          tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        },
      },
      configObjectFullPath: undefined,
      packageJsonFullPath: join(folder, 'package.json'),
    }),
  )
}

async function writeReports(entries: ExtractorConfig[]): Promise<void> {
  const additionalEntryPoints = entries.map((entry) => entry.mainEntryPointFilePath)
  let compilerState: CompilerState | undefined
  for (const entry of entries) {
    // The compiler reads all entries at once. One after the other took 27 s instead of 6 s (2026-12-01), because each
    // reads the types of AWS.
    compilerState ??= CompilerState.create(entry, { additionalEntryPoints })
    const { succeeded } = Extractor.invoke(entry, {
      compilerState,
      localBuild: true,
      messageCallback: (message) => {
        // Says that the report is a new file, and which TypeScript reads the declarations.
        message.handled = message.category === 'console'
      },
    })
    if (!succeeded) {
      throw new Error(`API Extractor could not read ${entry.mainEntryPointFilePath}. Its messages are above.`)
    }
  }
  await rm(join(work, 'temp'), { recursive: true, force: true })
}

async function update(): Promise<void> {
  for (const file of await readdir(REPORTS)) await rm(join(REPORTS, file))
  for (const file of await readdir(work)) await copyFile(join(work, file), join(REPORTS, file))
}

/** Also notices a report without an entry, and an entry without a report. */
function compare(): void {
  const { status } = spawnSync('git', ['diff', '--no-index', '--exit-code', REPORTS, work], { stdio: 'inherit' })
  if (status === 0) {
    console.log('api/ describes the public API of both packages')
    return
  }
  console.error('\nThe public API is not the one in api/. The difference is above.')
  console.error('If you intended it, run `npm run api`, commit api/, and add a changeset (see CONTRIBUTING.md).')
  process.exitCode = 1
}
