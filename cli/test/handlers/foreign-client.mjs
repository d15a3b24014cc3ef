// A runtime client of somebody else's, as AWS's own is one to us: it knows the Runtime API and Lambda's environment
// variables, and gets the handler's name as its last argument.
import { pathToFileURL } from 'node:url'
import { note } from './notes.mjs'

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER } = process.env
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`
note({ argument: process.argv.at(-1), handler: _HANDLER, nodeOptions: process.env.NODE_OPTIONS })
const [path, name] = _HANDLER.split('.')
const { [name]: handler } = await import(pathToFileURL(`${LAMBDA_TASK_ROOT}/${path}.mjs`).href)
for (;;) {
  const next = await fetch(`${api}/invocation/next`)
  const id = next.headers.get('lambda-runtime-aws-request-id')
  const wrong = await fetch(`${api}/invocation/no-such-id/response`, { method: 'POST', body: '{}' })
  const unknown = await fetch(`${api}/restore/next`)
  note({
    deadline: Number(next.headers.get('lambda-runtime-deadline-ms')) - Date.now(),
    statuses: [wrong.status, unknown.status],
  })
  const response = await handler(await next.json())
  await fetch(`${api}/invocation/${id}/response`, { method: 'POST', body: JSON.stringify(response) })
}
