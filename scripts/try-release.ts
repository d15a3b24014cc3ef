/**
 * Tries the next release in a clone of the last commit, and changes nothing here:
 *
 *     GITHUB_REPOSITORY=owner/name npm run release:try -- <new folder>
 *
 * Prints the texts that the release would change, and each file that it would publish, with its size. The folder gets the
 * clone and, for each package, the tarball and the text of the GitHub release.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const PACKAGES = ['.', 'cli']
const [folder] = process.argv.slice(2)
if (folder === undefined || existsSync(folder)) throw new Error('expected a folder that does not exist yet')
const repository = process.env.GITHUB_REPOSITORY ?? 'owner/name'
const clone = join(resolve(folder), 'clone')

function run(command: string, ...args: string[]): string {
  const env = { ...process.env, GITHUB_REPOSITORY: repository }
  return execFileSync(command, args, {
    cwd: clone,
    env,
    encoding: 'utf8',
    maxBuffer: 1e8,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function print(title: string, text: string): void {
  console.log(`\n=== ${title}\n${text.trimEnd()}`)
}

mkdirSync(clone, { recursive: true })
run('git', 'clone', '--quiet', resolve(import.meta.dirname, '..'), '.')
run('npm', 'ci', '--loglevel=error')
const isPrerelease = existsSync(join(clone, '.changeset/pre.json'))
if (isPrerelease) run('npx', 'changeset', 'pre', 'exit')
run('npm', 'run', 'release:version')

print('Texts that the release changes', run('git', 'status', '--short'))
print('Their new text, without package-lock.json', run('git', 'diff', '--', '.', ':!package-lock.json', ':!.changeset'))
const manifests = PACKAGES.map((path) => JSON.parse(readFileSync(join(clone, path, 'package.json'), 'utf8')))
for (const { name, version } of manifests) {
  const into = join(resolve(folder), name)
  const tarball = run('npm', 'exec', '--', 'node', 'scripts/pack-release.ts', `${name}@${version}`, into).trim()
  const npmTag = version.includes('-') ? 'next' : 'latest'
  print(`${name}@${version}, npm tag ${npmTag}: files`, run('tar', '-tvzf', tarball))
  print(`${name}@${version}: package.json`, run('tar', '-xzOf', tarball, 'package/package.json'))
  print(`${name}@${version}: README.md`, run('tar', '-xzOf', tarball, 'package/README.md'))
  print(`${name}@${version}: text of the GitHub release`, readFileSync(join(into, 'notes.md'), 'utf8'))
}
print(
  'Git tags',
  [...manifests.map(({ name, version }) => `${name}@${version}`), `doctor-v${manifests[1].version}`].join('\n'),
)
