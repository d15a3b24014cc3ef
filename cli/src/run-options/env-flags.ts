import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { refuseIf, UsageError } from '../shared/errors.ts'
import { decode } from '../shared/text-file.ts'

export interface EnvFlags {
  env?: string[]
  /**
   * Not `--env-file`: Node itself reads a flag of this name, also behind the name of the script. It ends
   * with exit code 9 if there is no such file.
   */
  envFrom?: string
  templateEnv?: Record<string, string>
  /** Variables that the function does not get, not even from the shell: the template does not set them. */
  notInTemplate?: string[]
}

/** The variables of the function. `--env` overrides `--env-from`, which overrides the template. */
export function variablesOf({ env = [], envFrom, templateEnv, notInTemplate = [] }: EnvFlags): NodeJS.Dict<string> {
  // Node does not pass a variable without a value to a process.
  const unset = Object.fromEntries(notInTemplate.map((name) => [name, undefined]))
  return { ...unset, ...templateEnv, ...(envFrom === undefined ? {} : readEnvFile(envFrom)), ...readPairs(env) }
}

function readPairs(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair) => {
    const at = pair.indexOf('=')
    const what = at === -1 ? `${pair} has no =` : 'has no name before ='
    refuseIf(at < 1, `--env ${what}: write --env NAME=VALUE`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return Object.fromEntries(entries)
}

function readEnvFile(file: string): NodeJS.Dict<string> & Record<string, string> {
  try {
    return parseEnv(decode(readFileSync(file))) as Record<string, string>
  } catch (error) {
    throw new UsageError(`--env-from ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
