import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'

export const ROOT = resolve(import.meta.dirname, '../..')

interface Step {
  name: string
  shell: string
  env?: Record<string, string>
  run: string
  if?: string
  uses?: string
}

interface Action {
  inputs: Record<string, { default?: string; required?: boolean }>
  runs: { using: string; steps: Step[] }
}

export const ACTION: Action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'))

/** What the runner of GitHub puts in place of an expression. action.yml has no other expressions. */
function evaluate(expression: string, inputs: Record<string, string>): string {
  const [, name = ''] = /^\$\{\{ inputs\.(\w+) \}\}$/.exec(expression) ?? []
  const value = inputs[name] ?? ACTION.inputs[name]?.default
  if (value === undefined) throw new Error(`expected an expression with a known input, received ${expression}`)
  return value
}

/**
 * Runs a step of action.yml in a workspace, as the runner of GitHub runs it. The script is a file, started with the
 * options that belong to `shell: bash`. `$RUNNER_TEMP` and the file of the job summary are in `temp`.
 */
export async function runStep(
  name: string,
  place: { workspace: string; temp: string },
  inputs: Record<string, string> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; output: string; summary: string }> {
  const step = ACTION.runs.steps.find((each) => each.name === name)
  if (step?.shell !== 'bash') throw new Error(`expected a step ${name} with shell: bash`)
  mkdirSync(place.temp, { recursive: true })
  const script = join(place.temp, 'step.sh')
  writeFileSync(script, step.run)
  const summary = join(place.temp, 'summary.md')
  const own = Object.entries(step.env ?? {}).map(([key, expression]) => [key, evaluate(expression, inputs)])
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
    cwd: place.workspace,
    env: {
      ...process.env,
      ...Object.fromEntries(own),
      GITHUB_ACTION_PATH: ROOT,
      GITHUB_STEP_SUMMARY: summary,
      RUNNER_TEMP: place.temp,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, output: stdout + stderr, summary: existsSync(summary) ? readFileSync(summary, 'utf8') : '' }
}
