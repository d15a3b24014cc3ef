// Stands in for the payment service. It declines orders whose id begins with `declined`, and refuses the first call for each
// order whose id begins with `busy`.
import { createServer } from 'node:http'

const refused = new Set()

createServer((request, response) => {
  const id = String(request.headers['idempotency-key'])
  const isRefused = id.startsWith('busy') && !refused.has(id)
  refused.add(id)
  request.resume().on('end', () => {
    if (isRefused) response.writeHead(429, { 'retry-after': '1' })
    else if (id.startsWith('declined')) response.writeHead(402)
    response.end()
  })
}).listen(9655)
