import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { startServer } from '../support/services.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** No profile, no instance, and no credentials of the developer. */
const NO_CREDENTIALS = {
  PATH: process.env.PATH,
  HOME: temporaryFolder(t), // npm writes to it
  AWS_CONFIG_FILE: '/nowhere',
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
  AWS_EC2_METADATA_DISABLED: 'true',
}

interface Output {
  stdout: string
  stderr: string
}

function start(args: readonly string[], env: NodeJS.ProcessEnv, program: readonly string[] = [process.execPath, MAIN]) {
  const [command, ...first] = program
  const child = spawn(`${command}`, [...first, ...args], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk) => {
      output[name] += chunk
    })
  }
  return { child, output }
}

async function codeOf(child: ChildProcess): Promise<number> {
  const [code] = await once(child, 'close')
  return code
}

/** An AWS account with stacks that are being created until they are deleted. `calls` has the names of the calls. */
async function startAccount(t: Test, { executions = 1000, stacks = [] as string[], expiresAfter = '' } = {}) {
  const calls: string[] = []
  const deleting = new Set<string>()
  let expired = false
  const endpoint = await startServer(t, async (request, response) => {
    const input = new URLSearchParams(await text(request))
    const action = input.get('Action') ?? `${request.method} ${request.url}`
    calls.push(action)
    const fail = (code: string, message: string) =>
      response
        .writeHead(400, { 'content-type': 'text/xml' })
        .end(
          `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
        )
    if (expired) return fail('ExpiredToken', 'The security token included in the request is expired')
    if (request.method === 'GET') {
      return response.end(JSON.stringify({ AccountLimit: { UnreservedConcurrentExecutions: executions } }))
    }
    const name = input.get('StackName') ?? ''
    if (action === 'CreateStack') stacks.push(name)
    if (action === 'DeleteStack') deleting.add(name)
    if (action === 'DescribeStacks' && name && !stacks.includes(name)) {
      return fail('ValidationError', `Stack with id ${name} does not exist`)
    }
    const status = (stack: string) => (deleting.has(stack) ? 'DELETE_IN_PROGRESS' : 'CREATE_IN_PROGRESS')
    const member = (stack: string) =>
      `<member><StackName>${stack}</StackName><StackStatus>${status(stack)}</StackStatus><CreationTime>2026-11-29T07:00:00Z</CreationTime></member>`
    const result =
      {
        GetCallerIdentity: '<Account>123456789012</Account>',
        DescribeStacks: `<Stacks>${stacks.map(member).join('')}</Stacks>`,
      }[action] ?? ''
    response
      .writeHead(200, { 'content-type': 'text/xml' })
      .end(`<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`)
    if (action === expiresAfter) expired = true
    // A stack is gone after its status has been read once.
    if (action === 'DescribeStacks' && deleting.has(name)) stacks.splice(stacks.indexOf(name), 1)
  })
  const env = {
    ...NO_CREDENTIALS,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  return { calls, stacks, env }
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await sleep(20)
}

t.test('without credentials or a region: one line, exit code 2, and nothing is created', async (t) => {
  for (const env of [{}, { AWS_REGION: 'eu-west-1' }]) {
    const { child, output } = start(['--yes'], { ...NO_CREDENTIALS, ...env })
    t.equal(await codeOf(child), 2)
    t.match(
      output.stderr,
      /^proof:aws: the credentials and the region of an AWS account are needed \(.+\)\. Set AWS_PROFILE and AWS_REGION, or sign in with the AWS CLI\n$/,
    )
    t.equal(output.stdout, '')
  }
})

t.test('without --yes and without a terminal: the costs, the question, and nothing is created', async (t) => {
  const { calls, env } = await startAccount(t)
  const { child, output } = start([], env)
  t.equal(await codeOf(child), 2)
  t.match(output.stdout, /^\| invocations \| [\d,]+ \| 0\.0\d+ \|$/m)
  t.match(
    output.stderr,
    /^proof:aws: Perform \d+ experiments in account 123456789012, eu-west-1 \(at 127\.0\.0\.1:\d+, which is not AWS\), for at most \$0\.\d\d \(us-east-1, November 2026\), in at most an hour\? Pass --yes, because nobody can answer\n$/,
  )
  t.notOk(calls.includes('CreateStack'))
})

t.test('an account with too little concurrency is refused', async (t) => {
  const { calls, env } = await startAccount(t, { executions: 10 })
  const { child, output } = start(['--yes'], env)
  t.equal(await codeOf(child), 2)
  t.match(
    output.stderr,
    /^proof:aws: at least 35 concurrent executions must be free in account 123456789012, eu-west-1 \(at 127\.0\.0\.1:\d+, which is not AWS\), but only 10 are\. /,
  )
  t.notOk(calls.includes('CreateStack'))
})

t.test('Ctrl-C, which npm passes on once more: the stack is removed, and the exit code is 1', async (t) => {
  const { calls, stacks, env } = await startAccount(t)
  const { child, output } = start(['run', '--silent', 'proof:aws', '--', '--yes'], env, ['npm'])
  await until(() => calls.includes('DescribeStacks'))
  t.match(stacks, [/^bounded-sqs-batch-proof-\d{14}$/])
  // A terminal sends it to all processes of the command.
  process.kill(-Number(child.pid), 'SIGINT')
  process.kill(-Number(child.pid), 'SIGINT')
  await until(() => calls.includes('DeleteStack'))
  process.kill(-Number(child.pid), 'SIGINT')
  t.not(await codeOf(child), 0)
  // npm may end before the command.
  await until(() => output.stdout.includes('0 as expected'))
  t.strictSame(stacks, [])
  t.match(output.stdout, 'SIGINT: no more experiments. The stack is being removed, which takes a few minutes')
  t.match(output.stdout, 'everything was removed')
  t.match(output.stdout, /not observed {2}the response \{\}: interrupted by SIGINT/)
  t.notMatch(output.stdout, 'wrote')
})

t.test('a terminal that is closed: the stack is removed', async (t) => {
  const { calls, stacks, env } = await startAccount(t)
  const { child } = start(['--yes'], env)
  await until(() => calls.includes('DescribeStacks'))
  child.stdout.destroy()
  child.stderr.destroy()
  child.kill('SIGHUP')
  t.equal(await codeOf(child), 1)
  t.strictSame(stacks, [])
})

t.test('credentials that expire during the run: it says what is left, and the exit code is 1', async (t) => {
  const { stacks, env } = await startAccount(t, { expiresAfter: 'CreateStack' })
  const { child, output } = start(['--yes'], env)
  t.equal(await codeOf(child), 1)
  const [stack] = stacks
  t.match(output.stderr, `The stack ${stack} in eu-west-1 could not be removed: ExpiredToken: The security token`)
  t.match(output.stderr, '\nTo remove it, run: npm run proof:aws -- --clean\n')
  t.notMatch(output.stdout, 'everything was removed')
})

t.test('--clean removes the stacks of all runs, and no other stack', async (t) => {
  const { stacks, env } = await startAccount(t, {
    stacks: ['shop', 'bounded-sqs-batch-proof-1', 'bounded-sqs-batch-proof-2'],
  })
  const refused = start(['--clean'], env)
  t.equal(await codeOf(refused.child), 2)
  t.match(refused.output.stdout, /^bounded-sqs-batch-proof-1 {2}CREATE_IN_PROGRESS {2}2026-11-29T07:00:00.000Z$/m)
  t.equal(stacks.length, 3)

  const { child } = start(['--clean', '--yes'], env)
  t.equal(await codeOf(child), 0)
  t.strictSame(stacks, ['shop'])

  const again = start(['--clean', '--yes'], env)
  t.equal(await codeOf(again.child), 0)
  t.match(again.output.stdout, /^nothing is left in account 123456789012, eu-west-1 \(at .+\)\n$/)
})
