/** The examples in the comments, as docs/reference.md shows them, compile in strict mode. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { read } from '../support/pages.ts'

/** What the examples use without saying where it comes from. */
const PRELUDE = `import assert from 'node:assert/strict'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { Context, SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachChunk, eachRecord, InvalidBodyError, PermanentError } from 'middy-bounded-sqs-batch'
import type { FailureHandler } from 'middy-bounded-sqs-batch'
import { deadLetter, isolateCrashes, releaseBlocked, retryBackoff } from 'middy-bounded-sqs-batch/sqs'
import { invoke, sqsContext, sqsEvent } from 'middy-bounded-sqs-batch/testing'

declare const client: SQSClient
declare const queueUrl: string
declare const url: string
declare const response: Response
declare function save(body: string): Promise<void>
declare function store(records: SQSRecord[]): Promise<void>
declare function send(record: SQSRecord, apiKey: string): Promise<void>
declare function putAll(records: readonly SQSRecord[], signal: AbortSignal): Promise<SQSRecord[]>
`
/** An example that uses a handler without making one. */
const HANDLER = 'declare const handler: (event: import("aws-lambda").SQSEvent, context: Context) => Promise<object>\n'

const page = read('docs/reference.md')
const examples = Array.from(
  page.matchAll(/^<!-- fragment: example -->\n```ts\n([\s\S]*?)^```$/gm),
  ([, code = '']) => code,
)

t.test('each function and each option of boundedSqsBatch() has an example', async (t) => {
  const [functions = '', options = '', sqs = '', testing = ''] = page.split(/^## /m).slice(1)
  const sections = [functions, options, sqs, testing].flatMap((part) => part.split(/^### /m).slice(1))
  t.equal(sections.length, 18)
  for (const section of sections) t.match(section, '<!-- fragment: example -->', String(section.split('\n', 1)[0]))
})

t.test('the examples compile', async (t) => {
  t.ok(examples.length >= 18)
  const files = examples.map((code, index) => {
    const usesHandler = /\bhandler\b/.test(code) && !/const handler\b/.test(code)
    return [`example-${index}.ts`, `${PRELUDE}${usesHandler ? HANDLER : ''}${code}`] as const
  })
  const folder = temporaryFolder(t, Object.fromEntries(files))
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  const tsconfig = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
  // The shell removes NODE_OPTIONS, because tap's hooks break the compiler.
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, tsc, '-p', folder]
  t.doesNotThrow(() => execFileSync('sh', shell, { encoding: 'utf8', stdio: 'pipe' }))
})
