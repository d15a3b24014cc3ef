// Installs the packages of a folder that has a lock file of its own, unless they are installed.
import { spawnSync } from 'node:child_process'

if (import.meta.main) install(process.argv[2] as string)

export function install(folder: string): void {
  const isInstalled = spawnSync('npm', ['ls', '--prefix', folder]).status === 0
  // Not with --ignore-scripts, which this process inherits from `npm run --ignore-scripts`: aws-lambda-ric is compiled.
  if (!isInstalled) runOrExit('npm', 'ci', '--ignore-scripts=false', '--prefix', folder)
}

/** Runs a command. If it fails, this process ends with the same exit code. */
export function runOrExit(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
