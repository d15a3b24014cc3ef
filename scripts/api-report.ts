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
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const ROOT = resolve(import.meta.dirname, '..')
const REPORTS = join(ROOT, 'api')

const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } })
const work = await mkdtemp(join(tmpdir(), 'api-report-'))
try {
  for (const folder of [ROOT, join(ROOT, 'cli')]) await writeReports(folder)
  if (values.update) await update()
  else compare()
} finally {
  await rm(work, { recursive: true, force: true })
}

/** Writes the report of each entry of a package into the folder `work`. */
async function writeReports(folder: string): Promise<void> {
  const { exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  for (const [entry, { types }] of Object.entries<{ types: string }>(exports)) {
    const name = entry === '.' ? 'index' : entry.slice('./'.length)
    const config = ExtractorConfig.prepare({
      configObject: {
        projectFolder: folder,
        mainEntryPointFilePath: join(folder, types),
        compiler: { tsconfigFilePath: join(ROOT, 'tsconfig.json') },
        apiReport: {
          enabled: true,
          reportFileName: name,
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
    })
    const { succeeded } = Extractor.invoke(config, {
      localBuild: true,
      messageCallback: (message) => {
        // Says that the report is a new file, and which TypeScript reads the declarations.
        message.handled = message.category === 'console'
      },
    })
    if (!succeeded) throw new Error(`API Extractor could not read ${types}. Its messages are above.`)
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
