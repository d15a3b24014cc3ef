/**
 * The commands of README.md, cli/README.md, examples/README.md, examples/orders and examples/deploy, exactly as written: in a
 * copy of this repository, and in new folders beside it. Commands that need an account of AWS are not run.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { blockOf, read, sampleOf, samTemplateOfPage } from '../support/pages.ts'
import { startPostgres } from '../support/postgres.ts'

const ROOT = join(import.meta.dirname, '../..')
const work = mkdtempSync(join(tmpdir(), 'readmes-'))
t.teardown(() => rmSync(work, { recursive: true, force: true }))
const clone = join(work, 'middy-bounded-sqs-batch')

/** The shell commands of a page, without those in comments. */
function commandsOf(page: string): string[] {
  const shown = read(page).replaceAll(/^<!-- after the release:\n[\s\S]*?^-->$/gm, '')
  return Array.from(shown.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, commands = '']) => commands.trimEnd())
}

/** Without the variables of npm and tap, which the commands of a user do not have. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|TAP|NODE_OPTIONS)/.test(name)))

/** Runs commands as a user does, who has this version of Node. Returns what they print. */
async function outputOf(folder: string, commands: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  // The shell removes NODE_OPTIONS, because tap's hooks would be loaded.
  const child = spawn('bash', ['-ec', `unset NODE_OPTIONS\n${commands}`], {
    cwd: folder,
    env: { ...ENV, PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`Exit code ${code}: ${commands}\n${stdout.slice(-3_000)}${stderr.slice(-3_000)}`)
  return `${stdout}${stderr}`
}

function newFolder(name: string): string {
  const folder = join(work, name)
  mkdirSync(folder)
  return folder
}

t.test('README.md: the packages are packed in a clone, installed beside it, and used', async (t) => {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of files.split('\0').filter((file) => file !== '' && existsSync(join(ROOT, file)))) {
    mkdirSync(dirname(join(clone, file)), { recursive: true })
    cpSync(join(ROOT, file), join(clone, file))
  }
  const [install = '', build = '', ...others] = commandsOf('README.md')
  t.strictSame(others, ['npm ci && npm run demo\nnpm ci && npm test'], '.ci/nightly and .ci/run run these')
  const [inClone = '', inProject = '', ...more] = install.split('\n')
  t.strictSame(more, [])
  await outputOf(clone, inClone)

  const project = newFolder('my-project')
  await outputOf(project, inProject)
  mkdirSync(join(project, 'src'))
  writeFileSync(join(project, 'src/handler.ts'), sampleOf('README.md', 'start'))
  writeFileSync(join(project, 'tsconfig.json'), blockOf('docs/modules.md', 'json'))
  await outputOf(project, 'npx tsc')
  await outputOf(project, build)
  writeFileSync(join(project, 'template.yaml'), samTemplateOfPage())
  t.match(read('README.md'), '`npx bounded-sqs-batch doctor template.yaml`')
  t.match(await outputOf(project, 'npx bounded-sqs-batch doctor template.yaml'), '1 mapping checked: 0 errors')
})

t.test('cli/README.md: the tool is packed in a clone, and installed beside it', async (t) => {
  const [install = '', ...others] = commandsOf('cli/README.md')
  t.strictSame(others, [])
  const [inClone = '', inProject = ''] = install.split('\n')
  await outputOf(clone, inClone.replace('npm ci && ', '')) // this test has just run it
  const project = newFolder('my-tests')
  await outputOf(project, inProject)
  t.match(await outputOf(project, 'npx bounded-sqs-batch --help'), 'doctor')
})

t.test('examples/README.md: local runs an example', async (t) => {
  const [build = '', example = '', ...others] = commandsOf('examples/README.md')
  t.strictSame(others, [])
  await outputOf(clone, build)
  t.match(await outputOf(clone, example), 'passed: 1,000 processed')
})

t.test('examples/orders: the example runs beside a clone, with a real PostgreSQL', async (t) => {
  const folder = join(work, 'orders')
  cpSync(join(clone, 'examples/orders'), folder, { recursive: true })
  const DATABASE_URL = await startPostgres(t, 100)
  const outputs = []
  for (const commands of commandsOf('examples/orders/README.md')) {
    outputs.push(await outputOf(folder, commands, { DATABASE_URL }))
  }
  t.equal(outputs.length, 3)
  t.match(outputs[1], '1 mapping checked: 0 errors, 0 warnings')
  t.match(outputs[2], 'passed: 6 processed')
  const stored = `psql "${DATABASE_URL}" -At -c 'SELECT id FROM orders ORDER BY id'`
  t.strictSame((await outputOf(folder, stored)).trim().split('\n'), ['busy-3', 'o1', 'o2', 'o6'])
})

t.test('examples/deploy: doctor finds nothing in what SAM and the CDK deploy', async (t) => {
  const [build, sam = '', cdk = '', ...others] = commandsOf('examples/deploy/README.md')
  t.strictSame([build, ...others], [commandsOf('examples/README.md')[0]])
  const [doctor = '', ...needSam] = sam.split('\n')
  t.strictSame(needSam, ['cd examples/deploy/sam', 'sam build --build-in-source', 'sam deploy --guided'])
  t.match(await outputOf(clone, doctor), '1 mapping checked: 0 errors, 0 warnings')
  const lines = cdk.split('\n')
  t.equal(lines.pop(), 'npx cdk deploy --app cdk.out', 'needs an account')
  t.match(await outputOf(clone, lines.join('\n')), '1 mapping checked: 0 errors, 0 warnings')
})
