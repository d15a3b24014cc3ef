import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { close, listen } from './services.ts'

const EMPTY_POLL_MS = 200

/**
 * Starts moto, an SQS that is independent of fauxqs. Returns its endpoint. Debian has it:
 * `apt-get install python3-moto python3-flask python3-flask-cors`.
 */
export async function spawnMoto(t: Test): Promise<string> {
  const port = await freePort()
  const moto = spawn('/usr/bin/python3', ['/usr/bin/moto_server', '-p', String(port)], { stdio: 'ignore' })
  t.teardown(() => moto.kill('SIGKILL'))
  const endpoint = `http://127.0.0.1:${port}`
  for (let tries = 0; !(await responds(endpoint)); tries++) {
    if (tries === 300 || moto.exitCode !== null) throw new Error('moto does not respond: is python3-moto installed?')
    await sleep(100)
  }
  return endpoint
}

/**
 * Starts moto behind a proxy, and returns the endpoint of the proxy.
 *
 * The threads of moto 5.1 change the list of messages without locks. Measured: if calls overlap, 30 of 1,000 messages
 * remain in the queue although moto has confirmed their deletion. Therefore a proxy passes on one call at a time. A
 * call that waits for messages would block the others, so moto responds to it at once, and the caller gets an empty
 * response later.
 */
export async function startMoto(t: Test): Promise<string> {
  const target = await spawnMoto(t)
  let last: Promise<unknown> = Promise.resolve()
  const server = createServer(async (request, response) => {
    const input = await text(request)
    const headers = { ...request.headers } as Record<string, string>
    delete headers['content-length']
    const body = input.replace(/"WaitTimeSeconds":\d+/, '"WaitTimeSeconds":0')
    const call = last.then(async () => {
      const forwarded = await fetch(target, { method: 'POST', headers, body })
      return { status: forwarded.status, output: await forwarded.text() }
    })
    last = call.catch(() => {})
    const { status, output } = await call
    if (body !== input && !output.includes('MessageId')) await sleep(EMPTY_POLL_MS)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(output)
  })
  t.teardown(() => close(server))
  return listen(server)
}

function responds(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}
