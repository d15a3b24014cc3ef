/**
 * Checks both packages as they are published. The release step packs them, and an empty project installs and uses them
 * under Node 22, 24 and 26. The library is used by import, by require() and in a bundle, with the oldest
 * @middy/core that the peer range allows and with the newest. The command-line tool is used by its command and by its
 * entries for tests and for apps of the CDK. The action and the pre-commit hook install the tool and use it. The
 * declarations must compile there. Prints one line for each check, and exits with 1 if one failed.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { relativeUrls } from '../../scripts/absolute-links.ts'
import { packRelease } from '../../scripts/pack-release.ts'
import { runStep } from '../support/action.ts'
import { serveRegistry } from '../support/registry.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** The files of dist/ that esbuild writes. The others are declarations. */
const ENTRIES = ['index', 'sqs/index', 'testing/index']
const TOOL_ENTRIES = ['bin', 'engine', 'cdk', 'runtime-client']
const CONSUMER = join(import.meta.dirname, 'consumer')
const TOOL_CONSUMER = join(import.meta.dirname, 'tool-consumer')
const CDK_CONSUMER = join(import.meta.dirname, 'cdk-consumer')
/** What a package may contain at most, unpacked, in bytes. Source maps of the tool would be two thirds of it. */
const MAX_BYTES = { library: 700_000, 'command-line tool': 1_200_000 }
/** How many packages `npm install bounded-sqs-batch` may bring, itself included. */
const MAX_TOOL_PACKAGES = 60
/** The flags that Lambda starts Node with. With them, `require()` does not load an ES module. */
const LAMBDA_FLAGS = ['--no-experimental-require-module', '--no-experimental-detect-module']
const NODES = ['node22', 'node24', 'node26']
const TYPESCRIPTS = ['typescript5', 'typescript7']

const work = await mkdtemp(join(tmpdir(), 'middy-bounded-sqs-batch-'))
try {
  await checkPackage()
} finally {
  await rm(work, { recursive: true, force: true })
}

async function checkPackage(): Promise<void> {
  const tarball = await pack('middy-bounded-sqs-batch')
  const toolTarball = await pack('bounded-sqs-batch', 'cli')
  await check('tarball of the library holds the library and nothing else', () => checkFiles(tarball, libraryFiles))
  await check('tarball of the command-line tool holds it and nothing else', () => checkFiles(toolTarball, toolFiles))
  for (const [name, packed] of [
    ['library', tarball],
    ['command-line tool', toolTarball],
  ] as const) {
    await check(`manifest of the ${name} names the repository and has no scripts`, () => checkManifest(packed))
    await check(`README of the ${name} has no relative link`, () => checkReadme(packed))
    await check(`${name}: at most ${MAX_BYTES[name]} bytes unpacked`, () => checkSize(packed, MAX_BYTES[name]))
    await check(`publint, ${name}`, () => runTool('publint', 'run', packed, '--strict'))
    // Only ESM, for Node and bundlers: old resolution does not read `exports`.
    await check(`are the types wrong, ${name}`, () => runTool('attw', packed, '--profile', 'esm-only'))
  }
  const tools = await install('tools', {
    node22: 'npm:node@22',
    node24: 'npm:node@24',
    node26: 'npm:node@26',
    typescript5: 'npm:typescript@5',
    typescript7: 'npm:typescript@7',
    esbuild: '^0.28.0',
  })
  for (const range of ['7.8.0', '^7.8.0']) {
    const project = await install(`middy-${range}`, {
      '@middy/core': range,
      // The declarations of @middy/core import this optional peer.
      '@aws/durable-execution-sdk-js': '^2.0.0',
      ...consumerOf(tarball),
    })
    const middy = `@middy/core ${await versionOf(project, '@middy/core')}`
    await cp(CONSUMER, project, { recursive: true })
    await check(`source maps, ${middy}`, () => checkSourceMaps(project))
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
    for (const alias of NODES) {
      const node = join(tools, 'node_modules', alias, 'bin/node')
      const version = await versionOf(tools, alias)
      for (const file of ['import.mjs', 'import.cjs', 'bundle.cjs', 'refused-require.cjs']) {
        await check(`Node ${version} with the flags of Lambda, ${middy}, ${file}`, () =>
          runConsumer(node, project, file, ...LAMBDA_FLAGS),
        )
      }
      for (const file of ['require.cjs', 'testing.mjs']) {
        await check(`Node ${version}, ${middy}, ${file}`, () => runConsumer(node, project, file))
      }
    }
    for (const alias of TYPESCRIPTS) {
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
  await checkTool(tarball, toolTarball, tools)
  for (const range of ['2.258.0', '^2.258.0']) await checkCdk(toolTarball, tools, range)
  await checkAction(toolTarball)
}

/** The command-line tool with a handler that uses the library. */
async function checkTool(tarball: string, toolTarball: string, tools: string): Promise<void> {
  const alone = await install('tool-alone', { 'bounded-sqs-batch': `file:${toolTarball}` })
  await check(`the command-line tool brings at most ${MAX_TOOL_PACKAGES} packages`, async () => {
    const { packages } = JSON.parse(await readFile(join(alone, 'package-lock.json'), 'utf8'))
    const count = Object.keys(packages).filter((path) => path !== '').length
    assert.ok(count > 10 && count <= MAX_TOOL_PACKAGES, `${count} packages`)
  })
  const project = await install('tool', {
    '@middy/core': '^7.8.0',
    '@aws/durable-execution-sdk-js': '^2.0.0',
    'bounded-sqs-batch': `file:${toolTarball}`,
    ...consumerOf(tarball),
  })
  await cp(TOOL_CONSUMER, project, { recursive: true })
  for (const alias of NODES) {
    const node = join(tools, 'node_modules', alias, 'bin/node')
    await check(`Node ${await versionOf(tools, alias)}, use-tool.mjs`, () => runConsumer(node, project, 'use-tool.mjs'))
  }
  for (const alias of TYPESCRIPTS) {
    const tsc = join(tools, 'node_modules', alias, 'bin/tsc')
    await check(`TypeScript ${await versionOf(tools, alias)}, types-engine.ts`, () =>
      compileConsumer(tsc, project, ['--module', 'nodenext'], 'types-engine.ts'),
    )
  }
}

/** The plugin of the command-line tool, with the oldest aws-cdk-lib that the peer range allows, and with the newest. */
async function checkCdk(toolTarball: string, tools: string, range: string): Promise<void> {
  const project = await install(`cdk-${range}`, {
    'aws-cdk-lib': range,
    constructs: '^10.5.0',
    'bounded-sqs-batch': `file:${toolTarball}`,
    '@types/node': '^22.0.0',
  })
  await cp(CDK_CONSUMER, project, { recursive: true })
  // Apps that `cdk init` creates are CommonJS.
  await cp(join(project, 'types-cdk.ts'), join(project, 'types-cdk.cts'))
  const library = `aws-cdk-lib ${await versionOf(project, 'aws-cdk-lib')}`
  for (const alias of NODES) {
    const node = join(tools, 'node_modules', alias, 'bin/node')
    for (const file of ['synth.mjs', 'synth.cjs']) {
      await check(`Node ${await versionOf(tools, alias)}, ${library}, ${file}`, () => runConsumer(node, project, file))
    }
  }
  for (const alias of TYPESCRIPTS) {
    const tsc = join(tools, 'node_modules', alias, 'bin/tsc')
    for (const file of ['types-cdk.ts', 'types-cdk.cts']) {
      await check(`TypeScript ${await versionOf(tools, alias)}, ${library}, ${file}`, () =>
        compileConsumer(tsc, project, ['--module', 'nodenext'], file),
      )
    }
  }
}

/** The action and the pre-commit hook install the tool at their own version, and check a template with it. */
async function checkAction(toolTarball: string): Promise<void> {
  const manifest = JSON.parse(await readPacked(toolTarball, 'package.json'))
  const configured = (await run(work, 'npm', 'config', 'get', 'registry')).trim()
  const registry = await serveRegistry(manifest, toolTarball, configured)
  const env = { npm_config_registry: registry.address, npm_config_cache: join(work, 'npm-cache') }
  const place = { workspace: join(work, 'workspace'), temp: join(work, 'temp') }
  await mkdir(place.workspace)
  // `doctor` reads the code of the handler.
  for (const file of ['template.json', 'orders.mjs']) await cp(join(TOOL_CONSUMER, file), join(place.workspace, file))
  try {
    await check('action.yml installs the tool at its own version', async () => {
      const { code, output } = await runStep('Install doctor', place, {}, env)
      assert.equal(code, 0, output)
      assert.equal(await versionOf(join(place.temp, manifest.name), manifest.name), manifest.version)
    })
    await check('action.yml checks a template', async () => {
      const { code, output, summary } = await runStep('Check the settings', place, { paths: 'template.json' })
      assert.equal(code, 1, output)
      assert.match(
        output,
        /^::error file=template.json,line=\d+,title=report-batch-item-failures%3A Function\/Queue::/m,
      )
      assert.match(summary, /^1 mapping checked: 1 error/m)
    })
    await check('.pre-commit-hooks.yaml checks a template', async () => {
      const [{ entry }] = parse(await readFile(join(ROOT, '.pre-commit-hooks.yaml'), 'utf8'))
      const options = { cwd: place.workspace, env: { ...process.env, ...env } }
      const failed = await promisify(execFile)(join(ROOT, entry), ['template.json'], options).catch((error) => error)
      assert.equal(failed.code, 1, failed.stderr)
      assert.match(failed.stdout, /^template.json:13 error report-batch-item-failures Function\/Queue /m)
    })
  } finally {
    registry.close()
  }
}

/** Checks the entry `./sqs` with the oldest @aws-sdk/client-sqs that the peer range allows, and with the newest. */
async function checkSqs(tarball: string, tools: string, range: string): Promise<void> {
  const project = await install(`sqs-${range}`, {
    '@middy/core': '^7.8.0',
    '@aws/durable-execution-sdk-js': '^2.0.0',
    '@aws-sdk/client-sqs': range,
    fauxqs: '^2.4.1',
    ...consumerOf(tarball),
  })
  await cp(CONSUMER, project, { recursive: true })
  const client = `client-sqs ${await versionOf(project, '@aws-sdk/client-sqs')}`
  for (const alias of NODES) {
    const node = join(tools, 'node_modules', alias, 'bin/node')
    const version = await versionOf(tools, alias)
    // fauxqs imports node:sqlite, which is experimental in Node 22 and causes a warning.
    const quiet = '--disable-warning=ExperimentalWarning'
    await check(`Node ${version}, ${client}, sqs.mjs`, () =>
      runConsumer(node, project, 'sqs.mjs', quiet, ...LAMBDA_FLAGS),
    )
  }
  for (const alias of TYPESCRIPTS) {
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

/** Packs a package as the release does. The repository is a placeholder. */
async function pack(name: string, folder = ''): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8'))
  return packRelease(`${name}@${version}`, 'owner/name', await mkdtemp(join(work, 'packed-')))
}

async function checkManifest(tarball: string): Promise<void> {
  const { scripts, repository } = JSON.parse(await readPacked(tarball, 'package.json'))
  assert.equal(scripts, undefined)
  assert.equal(repository.url, 'git+https://github.com/owner/name.git')
}

async function checkReadme(tarball: string): Promise<void> {
  assert.deepEqual(relativeUrls(await readPacked(tarball, 'README.md')), [])
}

function readPacked(tarball: string, file: string): Promise<string> {
  return run(work, 'tar', '-xzOf', tarball, `package/${file}`)
}

/** Runs a devDependency of this repository. */
async function runTool(name: string, ...parameters: string[]): Promise<void> {
  await run(work, join(ROOT, 'node_modules/.bin', name), ...parameters)
}

async function checkSize(tarball: string, max: number): Promise<void> {
  // The third column has the size of a file.
  const lines = (await run(work, 'tar', '-tvzf', tarball)).trim().split('\n')
  const bytes = lines.reduce((sum, line) => sum + Number(line.split(/\s+/)[2]), 0)
  assert.ok(bytes > 100_000 && bytes <= max, `${bytes} bytes`)
}

async function checkFiles(tarball: string, filesOf: () => Promise<string[]>): Promise<void> {
  const listed = await run(work, 'tar', '-tzf', tarball)
  const expected = ['package.json', 'LICENSE', 'README.md', ...(await filesOf())]
  assert.deepEqual(listed.trim().split('\n').sort(), expected.map((name) => `package/${name}`).sort())
}

/** A declaration for each module, a bundle for each entry, and the skill for coding agents. */
async function libraryFiles(): Promise<string[]> {
  const declarations = (await modulesIn('src')).map((name) => `dist/${name}.d.ts`)
  const bundles = ENTRIES.flatMap((name) => [`dist/${name}.js`, `dist/${name}.js.map`])
  return [...declarations, ...bundles, 'skills/middy-bounded-sqs-batch/SKILL.md']
}

/** A bundle for each entry, the chunks that the bundles share, and the declarations of the modules that they need. */
async function toolFiles(): Promise<string[]> {
  const files = await readdir(join(ROOT, 'cli/dist'), { recursive: true })
  const built = files.filter((name) => /\.\w+$/.test(name))
  const known = TOOL_ENTRIES.map((name) => `${name}.js`)
  for (const folder of ['src', 'cli/src'])
    known.push(...(await modulesIn(folder)).map((name) => `types/${folder}/${name}.d.ts`))
  const others = built.filter((name) => !known.includes(name) && !/^[a-z-]+-[A-Z0-9]{8}\.js$/.test(name))
  assert.deepEqual(others, [])
  return built.map((name) => `dist/${name}`)
}

async function modulesIn(folder: string): Promise<string[]> {
  const files = await readdir(join(ROOT, folder), { recursive: true })
  return files.filter((name) => name.endsWith('.ts')).map((name) => name.slice(0, -'.ts'.length))
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
    '--declaration', // each type that a declaration of the consumer needs must have a name
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
