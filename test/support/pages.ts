/** The code of the pages on toolchains, and what `doctor` finds in it. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { temporaryFolder } from './folder.ts'

// biome-ignore lint/suspicious/noExplicitAny: what the tools write
export type Any = any

const root = new URL('../../', import.meta.url)
export const CLI = fileURLToPath(new URL('cli/dist/bin.js', root))

export function read(page: string): string {
  return readFileSync(new URL(page, root), 'utf8')
}

/** The code of the first block of a language on a page, or after this heading of it. */
export function blockOf(page: string, language: string, heading = ''): string {
  const [, text = ''] = heading === '' ? ['', read(page)] : read(page).split(`\n${heading}\n`)
  const [, code] = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text) ?? []
  if (code === undefined) throw new Error(`Expected a block of ${language} in ${page}, after "${heading}"`)
  return code
}

/** The complete template of docs/deploy.md for AWS SAM. */
export const samTemplateOfPage = () => blockOf('docs/deploy.md', 'yaml', '## AWS SAM')

export function sampleOf(page: string, name: string): string {
  const [, code] = new RegExp(`<!-- sample: ${name} -->\\n\`\`\`ts\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(read(page)) ?? []
  if (code === undefined) throw new Error(`Expected the sample ${name} in ${page}`)
  return code
}

/** A temporary project with these files, also in folders. */
export function project(t: Test, files: Record<string, string>): string {
  const folder = temporaryFolder(t)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** Runs a program with this version of Node, and without the environment of tap. */
export async function run(cwd: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  const options = { cwd, env: { PATH, HOME: cwd, ...env } }
  return promisify(execFile)(program, args, options).then(
    (output) => ({ ...output, code: 0 }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

export const NOTHING = { code: 0, findings: [], accepted: [] }

/** What `doctor --strict` finds in these files, as `rule resource`. */
export async function doctor(folder: string, ...files: string[]) {
  const { code, stdout, stderr } = await run(folder, process.execPath, [CLI, 'doctor', '--strict', '--json', ...files])
  if (stdout === '') throw new Error(stderr)
  const { findings, accepted } = JSON.parse(stdout)
  const short = ({ rule, resource }: Any) => `${rule} ${resource}`
  return { code, findings: findings.map(short), accepted: accepted.map(short) }
}

export function resourcesOf(template: Any, type: string): Any[] {
  return Object.values(template.Resources as Any)
    .filter((resource: Any) => resource.Type === type)
    .map(({ Properties }: Any) => Properties)
}

/** The settings of the queues, the function and the mapping of a template. */
export function settingsIn(template: Any) {
  const queues = resourcesOf(template, 'AWS::SQS::Queue')
  const queue = queues.find(({ RedrivePolicy }) => RedrivePolicy !== undefined)
  const dead = queues.find(({ RedrivePolicy }) => RedrivePolicy === undefined)
  const [lambda] = resourcesOf(template, 'AWS::Serverless::Function').concat(
    resourcesOf(template, 'AWS::Lambda::Function'),
  )
  const mapping = lambda.Events?.Queue.Properties ?? resourcesOf(template, 'AWS::Lambda::EventSourceMapping')[0]
  return {
    timeout: lambda.Timeout,
    memory: lambda.MemorySize,
    runtime: lambda.Runtime,
    responseTypes: mapping.FunctionResponseTypes,
    batchSize: mapping.BatchSize,
    window: mapping.MaximumBatchingWindowInSeconds,
    maximumConcurrency: mapping.ScalingConfig.MaximumConcurrency,
    visibilityTimeout: queue.VisibilityTimeout,
    maxReceiveCount: queue.RedrivePolicy.maxReceiveCount,
    deadLetterRetention: dead.MessageRetentionPeriod,
  }
}

/** The same settings of the resources of Terraform, as its parser reads them. */
export function terraformSettings({ orders, dead, lambda, mapping }: Any) {
  return {
    timeout: lambda.timeout,
    memory: lambda.memory_size,
    runtime: lambda.runtime,
    responseTypes: mapping.function_response_types,
    batchSize: mapping.batch_size,
    window: mapping.maximum_batching_window_in_seconds,
    maximumConcurrency: mapping.scaling_config[0].maximum_concurrency,
    visibilityTimeout: orders.visibility_timeout_seconds,
    maxReceiveCount: Number(/maxReceiveCount += (\d+)/.exec(orders.redrive_policy)?.[1]),
    deadLetterRetention: dead.message_retention_seconds,
  }
}

/** The settings of the template for SAM, which the code for all toolchains has. */
export const SETTINGS = settingsIn(parse(samTemplateOfPage(), { logLevel: 'silent' }))
