/** A PostgreSQL of its own for a test, from the Debian package that `.ci/postgresql` installs. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'

/** PostgreSQL does not start as root, so root starts it as the user of the Debian package. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** Starts an empty database that allows this many connections, and returns its connection string. */
export async function startPostgres(t: Test, maxConnections: number): Promise<string> {
  const [bin] = globSync('/usr/lib/postgresql/*/bin')
  if (!bin) throw new Error('Expected PostgreSQL in /usr/lib/postgresql: run .ci/postgresql')
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'))
  const user = owner()
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const options = { ...user, cwd: folder }
  execFileSync(join(bin, 'initdb'), ['-D', folder, '-A', 'trust', '-U', 'test', '--no-sync'], options)
  const port = await freePort()
  const settings = [
    `max_connections=${maxConnections}`,
    'superuser_reserved_connections=0',
    'fsync=off',
    'max_wal_senders=0',
  ]
  const args = ['-D', folder, '-h', '127.0.0.1', '-p', String(port), '-k', '']
  for (const setting of settings) args.push('-c', setting)
  const server = spawn(join(bin, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(async () => {
    if (server.exitCode === null) {
      server.kill('SIGQUIT') // ends it at once
      await once(server, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })
  await untilReady(server)
  return `postgres://test@127.0.0.1:${port}/postgres`
}

async function untilReady(server: ChildProcess): Promise<void> {
  const lines: string[] = []
  if (!server.stderr) throw new Error('Expected a pipe')
  // The loop must not end the stream: the server would end when it writes its next line.
  const reader = createInterface({ input: server.stderr })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  reader.on('line', (line) => {
    lines.push(line)
    if (line.includes('ready to accept connections')) resolve()
  })
  server.once('exit', () => reject(new Error(`PostgreSQL ended:\n${lines.join('\n')}`)))
  await promise
}
