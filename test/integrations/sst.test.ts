/** examples/deploy/sst has the types of SST. It is not deployed. */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { read } from '../support/pages.ts'

const code = read('examples/deploy/sst/sst.config.ts')
const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))

/** The versions that this version of SST wants. It would download them, but its types do not need them. */
const STUBS = { pulumi: 'v3.215.0', bun: '1.2.1' }

t.test('sst.config.ts compiles with the types of SST, and with a misspelt option it does not', async (t) => {
  const folder = temporaryFolder(t, {
    'sst.config.ts': code,
    'tsconfig.json': JSON.stringify({
      compilerOptions: { target: 'es2022', module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true },
      files: ['sst.config.ts'],
    }),
  })
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: folder, SST_TELEMETRY_DISABLED: '1' }
  const run = promisify(execFile)
  const bin = join(folder, '.config/sst/bin')
  mkdirSync(bin, { recursive: true })
  for (const [name, version] of Object.entries(STUBS)) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho ${version}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  await run(join(import.meta.dirname, 'node_modules/.bin/sst'), ['install', '--stage', 'test'], { cwd: folder, env })
  symlinkSync(join(import.meta.dirname, 'node_modules'), join(folder, '.sst/platform/node_modules'))

  /** The errors in the configuration. SST's own files have some, too, because not all of their packages are here. */
  async function errors(code: string): Promise<string[]> {
    writeFileSync(join(folder, 'sst.config.ts'), code)
    // The shell removes NODE_OPTIONS, because tap's hooks break the compiler.
    const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, tsc, '--noEmit', '--strict', '-p', folder]
    const check = run('sh', shell, { cwd: folder, env })
    const { stdout } = await check.catch((error: { stdout: string }) => error)
    return stdout.split('\n').filter((line) => line.startsWith('sst.config.ts'))
  }
  t.strictSame(await errors(code), [])
  for (const [right, wrong] of [
    ['partialResponses', 'partialResponse'],
    ['maximumConcurrency', 'maximumConcurency'],
    ['nodejs24.x', 'nodejs42.x'],
  ] as const) {
    t.match(await errors(code.replace(right, wrong)), [new RegExp(wrong)])
  }
})
