/**
 * Checks the package as it is published: what is in the tarball, and that it can be installed into an empty project and
 * used from there, by import, by require() and in a bundle, under Node 22, 24 and 26, with @middy/core 6 and 7, and that
 * its declarations compile there. One line a check; exits with 1 where one failed.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const ROOT = resolve(import.meta.dirname, '../..')
/** The files of dist/ that esbuild writes. The others are declarations. */
const ENTRIES = ['index', 'sqs/index', 'testing/index']
const CONSUMER = join(import.meta.dirname, 'consumer')

const work = await mkdtemp(join(tmpdir(), 'middy-bounded-sqs-batch-'))
try {
  await checkPackage()
} finally {
  await rm(work, { recursive: true, force: true })
}

async function checkPackage(): Promise<void> {
  const tarball = await pack()
  await check('tarball holds the library and nothing else', () => checkFiles(tarball))
  for (const [name, packed] of [
    ['library', tarball],
    ['command-line tool', await pack('cli')],
  ] as const) {
    await check(`manifest of the ${name} has no script that npm runs at install`, () => checkScripts(packed))
  }
  const tools = await install('tools', {
    node22: 'npm:node@22',
    node24: 'npm:node@24',
    node26: 'npm:node@26',
    typescript5: 'npm:typescript@5',
    typescript7: 'npm:typescript@7',
    esbuild: '^0.28.0',
  })
  const projects = [
    await install('middy-6', { '@middy/core': '^6.0.0', ...consumerOf(tarball) }),
    // The declarations of @middy/core 7 import this optional peer.
    await install('middy-7', {
      '@middy/core': '^7.0.0',
      '@aws/durable-execution-sdk-js': '^2.0.0',
      ...consumerOf(tarball),
    }),
  ]
  for (const project of projects) {
    const middy = `@middy/core ${await versionOf(project, '@middy/core')}`
    await cp(CONSUMER, project, { recursive: true })
    await check(`source maps, ${middy}`, () => checkSourceMaps(project))
    for (const alias of ['node22', 'node24', 'node26']) {
      const node = join(tools, 'node_modules', alias, 'bin/node')
      const version = await versionOf(tools, alias)
      for (const file of ['import.mjs', 'require.cjs', 'testing.mjs']) {
        await check(`Node ${version}, ${middy}, ${file}`, () => runConsumer(node, project, file))
      }
    }
    const esbuild = join(tools, 'node_modules/esbuild/bin/esbuild')
    await run(
      project,
      esbuild,
      'import.mjs',
      '--bundle',
      '--minify',
      '--platform=node',
      '--format=cjs',
      '--outfile=bundle.cjs',
    )
    const node22 = join(tools, 'node_modules/node22/bin/node')
    await check(`Node 22, ${middy}, bundled and minified as CommonJS`, () => runConsumer(node22, project, 'bundle.cjs'))
    for (const alias of ['typescript5', 'typescript7']) {
      const tsc = join(tools, 'node_modules', alias, 'bin/tsc')
      const version = await versionOf(tools, alias)
      for (const [name, ...options] of [
        ['nodenext', '--module', 'nodenext'],
        ['bundler', '--module', 'esnext', '--moduleResolution', 'bundler'],
      ] as const) {
        await check(`TypeScript ${version}, ${middy}, ${name}`, () => compileConsumer(tsc, project, options))
      }
    }
  }
  for (const range of ['3.734.0', '^3.734.0']) await checkSqs(tarball, tools, range)
}

/** Checks the entry `./sqs` with the oldest @aws-sdk/client-sqs that the peer range allows, and with the newest. */
async function checkSqs(tarball: string, tools: string, range: string): Promise<void> {
  const project = await install(`sqs-${range}`, {
    '@middy/core': '^7.0.0',
    '@aws/durable-execution-sdk-js': '^2.0.0',
    '@aws-sdk/client-sqs': range,
    fauxqs: '^2.4.1',
    ...consumerOf(tarball),
  })
  await cp(CONSUMER, project, { recursive: true })
  const client = `client-sqs ${await versionOf(project, '@aws-sdk/client-sqs')}`
  for (const alias of ['node22', 'node24', 'node26']) {
    const node = join(tools, 'node_modules', alias, 'bin/node')
    const version = await versionOf(tools, alias)
    // fauxqs imports node:sqlite, which is experimental in Node 22 and causes a warning.
    const quiet = '--disable-warning=ExperimentalWarning'
    await check(`Node ${version}, ${client}, sqs.mjs`, () => runConsumer(node, project, 'sqs.mjs', quiet))
  }
  for (const alias of ['typescript5', 'typescript7']) {
    const tsc = join(tools, 'node_modules', alias, 'bin/tsc')
    const options = ['--module', 'nodenext']
    await check(`TypeScript ${await versionOf(tools, alias)}, ${client}`, () =>
      compileConsumer(tsc, project, options, 'types-sqs.ts'),
    )
  }
}

/** The dependencies of an application besides @middy/core. npm installs the peer @types/aws-lambda by itself. */
function consumerOf(tarball: string) {
  return { 'middy-bounded-sqs-batch': `file:${tarball}`, '@types/node': '^22.0.0', zod: '^4.0.0' }
}

/** Packs the package of a folder of this repository. */
async function pack(folder = '.'): Promise<string> {
  const into = await mkdtemp(join(work, 'packed-'))
  await run(join(ROOT, folder), 'npm', 'pack', '--pack-destination', into)
  const [tarball, ...others] = await readdir(into)
  assert.ok(tarball && others.length === 0)
  return join(into, tarball)
}

/** `prepare` runs when the package is installed from a folder or from Git, the other three at every install. */
async function checkScripts(tarball: string): Promise<void> {
  const { scripts } = JSON.parse(await run(work, 'tar', '-xzOf', tarball, 'package/package.json'))
  const names = ['prepare', 'preinstall', 'install', 'postinstall']
  assert.deepEqual(
    Object.keys(scripts).filter((name) => names.includes(name)),
    [],
  )
}

async function checkFiles(tarball: string): Promise<void> {
  const sources = await readdir(join(ROOT, 'src'), { recursive: true })
  const modules = sources.filter((name) => name.endsWith('.ts')).map((name) => name.slice(0, -'.ts'.length))
  const expected = ['package.json', 'LICENSE', 'README.md']
  for (const name of ENTRIES) expected.push(`dist/${name}.js`, `dist/${name}.js.map`)
  for (const name of modules) expected.push(`dist/${name}.d.ts`)
  const listed = await run(work, 'tar', '-tzf', tarball)
  assert.deepEqual(listed.trim().split('\n').sort(), expected.map((name) => `package/${name}`).sort())
}

/** The source maps hold the sources, so that a debugger shows them though the tarball has no src/. */
async function checkSourceMaps(project: string): Promise<void> {
  const dist = join(project, 'node_modules/middy-bounded-sqs-batch/dist')
  for (const name of ENTRIES) {
    const file = join(dist, `${name}.js`)
    const { sources, sourcesContent } = JSON.parse(await readFile(`${file}.map`, 'utf8'))
    assert.ok(sources.length > 5)
    for (const [index, source] of sources.entries()) {
      assert.equal(sourcesContent[index], await readFile(join(ROOT, 'dist', name, '..', source), 'utf8'), source)
    }
    assert.match(await readFile(file, 'utf8'), /\n\/\/# sourceMappingURL=index\.js\.map\s*$/)
  }
}

async function install(name: string, dependencies: Record<string, string>): Promise<string> {
  const project = join(work, name)
  await mkdir(project)
  const allowScripts = { node: true, esbuild: true }
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', allowScripts, dependencies }),
  )
  await run(project, 'npm', 'install', '--no-audit', '--no-fund')
  return project
}

async function versionOf(project: string, dependency: string): Promise<string> {
  return JSON.parse(await readFile(join(project, 'node_modules', dependency, 'package.json'), 'utf8')).version
}

/** Runs a program that must print only `done`, and no warning on standard error. */
async function runConsumer(node: string, project: string, file: string, ...flags: string[]): Promise<void> {
  assert.equal(await run(project, node, ...flags, file), 'done\n')
}

/** Compiles a file, and checks the declarations of every dependency too. */
async function compileConsumer(
  tsc: string,
  project: string,
  options: readonly string[],
  file = 'types.ts',
): Promise<void> {
  await run(
    project,
    process.execPath,
    tsc,
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--types',
    'node',
    ...options,
    file,
  )
}

/** Runs a program and returns its output. If the program fails, throws an error with its output. */
async function run(cwd: string, program: string, ...parameters: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, parameters, { cwd, timeout: 300_000 })
    return program === 'npm' ? stdout : stdout + stderr
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${program} ${parameters.join(' ')} failed\n${stdout}${stderr}`, { cause: error })
  }
}

async function check(name: string, test: () => Promise<void>): Promise<void> {
  try {
    await test()
    console.log(`ok      ${name}`)
  } catch (error) {
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
