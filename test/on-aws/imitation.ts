import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { startFauxqs } from 'fauxqs'
import { unzipSync } from 'fflate'
import type { Test } from 'tap'
import { type Runtime, startRuntime } from '../../cli/src/engine.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startServer, useEndpoint } from '../support/services.ts'
import { type Aws, connect, type LogLine } from './aws.ts'

const BIN = fileURLToPath(new URL('../../cli/src/bin.ts', import.meta.url))
const REGION = 'eu-west-1'

interface Template {
  // biome-ignore lint/suspicious/noExplicitAny: each type of resource has its own properties
  readonly Resources: Record<string, { readonly Type: string; readonly Properties: any }>
}

/** An SQS that confirms each visibility timeout, and does nothing. */
function startIgnoring(t: Test): Promise<string> {
  return startServer(t, async (request, response) => {
    const { Entries } = JSON.parse(await text(request))
    const Successful = Entries.map(({ Id }: { Id: string }) => ({ Id }))
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify({ Successful, Failed: [] }))
  })
}

/**
 * Imitates AWS on this machine: fauxqs has the queues of the stack, and `local` the mappings and the functions with the
 * code that was uploaded. It has no metrics and no reports of Lambda. If it `ignoresDelays`, the visibility timeouts
 * that functions set have no effect.
 */
export async function imitateAws(t: Test, { ignoresDelays = false } = {}) {
  const fauxqs = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION })
  const endpoint = fauxqs.address
  useEndpoint('SQS', endpoint)
  const endpointOfFunctions = ignoresDelays ? await startIgnoring(t) : endpoint
  const folder = temporaryFolder(t)
  const lines: LogLine[] = []
  const mappings: ChildProcess[] = []
  const runtimes: Runtime[] = []
  let stack: Template = { Resources: {} }

  const resource = (id: string) => stack.Resources[id]?.Properties ?? {}
  const queueName = (id: string) => (resource(id).FifoQueue ? `${id}.fifo` : id)
  const queueUrl = (id: string) => `${endpoint}/000000000000/${queueName(id)}`
  const idsOf = (type: string) => Object.keys(stack.Resources).filter((id) => stack.Resources[id]?.Type === type)
  /** The file and the export of a function. */
  function handlerOf(id: string): [file: string, exportName: string] {
    const [module, exportName] = resource(id).Handler.split('.')
    return [`${folder}/${id}/${module}.mjs`, exportName]
  }

  function createQueue(id: string): void {
    const { FifoQueue, VisibilityTimeout, RedrivePolicy } = resource(id)
    const deadLetters = RedrivePolicy && queueName(RedrivePolicy.deadLetterTargetArn['Fn::GetAtt'][0])
    const deadLetterTargetArn = `arn:aws:sqs:${REGION}:000000000000:${deadLetters}`
    const attributes = {
      ...(FifoQueue ? { FifoQueue: 'true' } : {}),
      ...(VisibilityTimeout ? { VisibilityTimeout: String(VisibilityTimeout) } : {}),
      ...(RedrivePolicy ? { RedrivePolicy: JSON.stringify({ ...RedrivePolicy, deadLetterTargetArn }) } : {}),
    }
    fauxqs.createQueue(queueName(id), { region: REGION, attributes })
  }

  /** Starts `local` for a mapping. It ends when the stack is deleted. */
  function startMapping(id: string): void {
    const { FunctionName, EventSourceArn } = resource(id)
    const url = queueUrl(EventSourceArn['Fn::GetAtt'][0])
    // Without --endpoint, which would count for the function, too.
    const args = [BIN, 'local', handlerOf(FunctionName.Ref).join('#'), '--queue-url', url]
    args.push('--env', `AWS_ENDPOINT_URL_SQS=${endpointOfFunctions}`)
    const settings = ['--template', `${folder}/template.json`, '--template-function', id, '--concurrency', '1']
    const child = spawn(process.execPath, [...args, ...settings, '--idle', 'off'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    createInterface({ input: child.stderr as NonNullable<typeof child.stderr> }).on('line', (line) => {
      const [, text] = /^function \| (.*)$/.exec(line) ?? []
      if (text !== undefined) lines.push({ at: Date.now(), text })
      else t.comment(`${id}: ${line}`)
    })
    mappings.push(child)
  }

  async function stop(): Promise<void> {
    const running = mappings.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    const ends = running.map((child) => once(child, 'exit'))
    // The second signal ends running invocations.
    for (const child of running) child.kill('SIGTERM')
    const hurry = setInterval(() => running.map((child) => child.kill('SIGTERM')), 1000)
    await Promise.all([...ends, ...runtimes.map((runtime) => runtime.stop())])
    clearInterval(hurry)
  }

  const aws: Aws = {
    ...connect(),
    region: async () => REGION,
    account: async () => '000000000000',
    async createStack(_name, template) {
      stack = template as Template
      const queues = idsOf('AWS::SQS::Queue')
      const isDeadLetters = (id: string) => resource(id).RedrivePolicy === undefined
      for (const id of [...queues.filter(isDeadLetters), ...queues.filter((id) => !isDeadLetters(id))]) createQueue(id)
      writeFileSync(`${folder}/template.json`, JSON.stringify(template))
    },
    async waitUntilCreated() {},
    async resourcesOf() {
      const ids = Object.keys(stack.Resources)
      return new Map(ids.map((id) => [id, stack.Resources[id]?.Type === 'AWS::SQS::Queue' ? queueUrl(id) : id]))
    },
    async upload(functionName, zipped) {
      mkdirSync(`${folder}/${functionName}`)
      for (const [name, bytes] of Object.entries(unzipSync(zipped)))
        writeFileSync(`${folder}/${functionName}/${name}`, bytes)
    },
    async send(url, messages, signal) {
      await connect().send(url, messages, signal)
      // `local` starts with the first message, because an idle process for each mapping would need much memory.
      const mapping = idsOf('AWS::Lambda::EventSourceMapping').find(
        (id) => queueUrl(resource(id).EventSourceArn['Fn::GetAtt'][0]) === url,
      )
      if (mapping && resource(mapping).Enabled && !started.has(mapping)) await aws.enableMapping(mapping)
    },
    async reserve() {},
    async invoke(functionName) {
      const [file, exportName] = handlerOf(functionName)
      const env = resource(functionName).Environment.Variables
      const runtime = await runtimeOf(functionName, { file, exportName, env })
      const outcome = await runtime.invoke('{}')
      if (outcome.type !== 'response') throw new Error(outcome.message)
      return JSON.parse(outcome.payload)
    },
    async enableMapping(id) {
      started.add(id)
      startMapping(id)
    },
    logLines: async () => lines,
    async deleteStack() {
      await stop()
      stack = { Resources: {} }
    },
  }
  const started = new Set<string>()
  const runtimeByFunction = new Map<string, Runtime>()
  async function runtimeOf(id: string, options: { file: string; exportName: string; env: Record<string, string> }) {
    const known = runtimeByFunction.get(id)
    if (known) return known
    const runtime = await startRuntime({ ...options, initTimeout: 120_000 })
    runtimeByFunction.set(id, runtime)
    runtimes.push(runtime)
    return runtime
  }

  t.teardown(async () => {
    await stop()
    await fauxqs.stop()
  })
  return { aws, isDeleted: () => idsOf('AWS::SQS::Queue').length === 0, processes: mappings }
}
