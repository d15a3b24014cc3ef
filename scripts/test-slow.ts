// `npm run test:slow -- fuzz compat` runs tests that `npm test` omits, because they take long. An argument is a folder of
// test/, or a file without its ending: `e2e/fifo-groups`. First installs the packages that only these tests need.
// Builds only if there is no build, because npm has built before, except with --ignore-scripts.
//
// With --plain, Node runs one file after another. Other tests can run at the same time: two runs of tap in one folder
// delete each other's files.
import { existsSync, globSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { install, runOrExit } from './install.ts'

/** Tests whose packages are in another folder than their own. */
const PACKAGES: Record<string, string> = { 'e2e/every-message': 'cli/test/aws-client', site: 'docs' }

const { values, positionals: chosen } = parseArgs({ options: { plain: { type: 'boolean' } }, allowPositionals: true })
const files = chosen.flatMap((name) => {
  const found = globSync([`test/${name}.test.ts`, `test/${name}/*.test.ts`])
  return found.length > 0 ? found.sort() : exitWith(`test/ has no tests of the name ${name}`)
})
if (files.length === 0)
  exitWith('Expected folders of test/ or files without their ending, such as: fuzz e2e/fifo-groups')
if (!existsSync('dist/index.js') || !existsSync('.tap/plugins')) runOrExit('npm', 'run', 'pretest')
const folders = chosen.map((name) => PACKAGES[name] ?? `test/${name.split('/')[0]}`)
for (const folder of new Set(folders)) if (existsSync(`${folder}/package-lock.json`)) install(folder)
if (chosen.includes('site')) runOrExit('npm', 'run', 'build', '--prefix', 'docs')
if (values.plain) {
  process.env.TAP_TIMEOUT = '900' // seconds for a file, as in .taprc
  for (const file of files) {
    console.log(`# Subtest: ${file}`)
    runOrExit('node', file)
  }
} else runOrExit('tap', '--disable-coverage', ...files)

function exitWith(message: string): never {
  console.error(message)
  process.exit(1)
}
