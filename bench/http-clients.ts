import { Agent, request } from 'node:http'

const agent = new Agent({ keepAlive: true }) // without a limit of sockets

/** Each sends one request, reads the whole response and resolves to the status. */
export const HTTP_CLIENTS = {
  'node:http': (url: string, body: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(url, { method: 'POST', agent }, (response) => {
        response.on('end', () => resolve(response.statusCode))
        response.on('error', reject)
        response.resume()
      })
      sent.on('error', reject)
      sent.end(body)
    }),

  async fetch(url: string, body: string) {
    const response = await fetch(url, { method: 'POST', body })
    await response.arrayBuffer()
    return response.status
  },
}
export type HttpClient = keyof typeof HTTP_CLIENTS
