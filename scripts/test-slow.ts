// `npm run test:slow -- fuzz compat` runs tests that `npm test` omits, because they take long. An argument is a folder of
// test/, or a file without its ending: `e2e/sqs-rounds`. First installs the packages that only these tests need.
import { existsSync, globSync } from 'node:fs'
import { install, runOrExit } from './install.ts'

/** Tests whose packages are in another folder than their own. */
const PACKAGES: Record<string, string> = { 'e2e/every-message': 'cli/test/aws-client', site: 'docs' }

const chosen = process.argv.slice(2)
const files = chosen.flatMap((name) => {
  const found = globSync([`test/${name}.test.ts`, `test/${name}/*.test.ts`])
  return found.length > 0 ? found.sort() : exitWith(`test/ has no tests of the name ${name}`)
})
if (files.length === 0)
  exitWith('Expected folders of test/ or files without their ending, such as: fuzz e2e/sqs-rounds')
for (const name of chosen) {
  const folder = PACKAGES[name] ?? `test/${name}`
  if (existsSync(`${folder}/package-lock.json`)) install(folder)
}
if (chosen.includes('site')) runOrExit('npm', 'run', 'build', '--prefix', 'docs')
runOrExit('tap', '--disable-coverage', ...files)

function exitWith(message: string): never {
  console.error(message)
  process.exit(1)
}
