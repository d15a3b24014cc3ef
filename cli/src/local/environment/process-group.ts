import { spawn } from 'node:child_process'

/**
 * Waits until the watcher has started, then becomes the command. `ulimit -n` also sets the hard limit,
 * because Node raises its soft limit to the hard limit at startup.
 */
const scriptFor = (command: string) => `read -r _ <&3 || exit 1
ulimit -n "$1" || exit 1; shift
exec ${command} 3<&-`

/** Its input closes when this process ends, for any reason. It then kills the process group. */
const WATCHER = 'read -r _; kill -9 "-$0"'

/**
 * Starts a process group that ends with this process, even if this process is killed. The watcher is in a
 * process group of its own: a watcher that is stopped with the others could not kill them. `command` is for
 * the shell.
 */
export function startProcessGroup(command: string, args: readonly string[], fdLimit: number, env: NodeJS.ProcessEnv) {
  // `detached` creates the process group. Ctrl-C does not reach it, and one signal reaches all of it.
  const child = spawn('/bin/sh', ['-c', scriptFor(command), 'sh', String(fdLimit), ...args], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const watcher = spawn('/bin/sh', ['-c', WATCHER, String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })

  function send(signal: NodeJS.Signals) {
    try {
      if (child.pid) process.kill(-child.pid, signal)
    } catch {
      // the process group has already ended
    }
  }
  const kill = () => send('SIGKILL')

  child.on('exit', () => {
    kill() // also ends child processes of the function
    watcher.kill('SIGKILL')
  })
  // Without a watcher, the processes could outlive this one.
  watcher.on('error', kill)
  watcher.stdin.on('error', () => {})
  const go = child.stdio[3] as NodeJS.WritableStream | undefined
  go?.on('error', () => {}) // the group has already ended
  go?.end('\n')

  return {
    child,
    kill,
    /** Stops all processes of the group until `thaw()`. */
    freeze: () => send('SIGSTOP'),
    thaw: () => send('SIGCONT'),
  }
}
