// A runtime client that uses only the Runtime API and the environment variables of Lambda, like the client of AWS. Its
// last argument is the name of the handler.
import { pathToFileURL } from 'node:url'
import { note } from './notes.ts'

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
