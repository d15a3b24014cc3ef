import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Serves a registry on this machine that has one version of one package, from a tarball. For other packages, it redirects
 * to the registry that npm uses here.
 */
export async function serveRegistry(manifest: { name: string; version: string }, tarball: string, other: string) {
  const packed = readFileSync(tarball)
  const server = createServer(({ url = '' }, response) => {
    if (url === `/${manifest.name}`) {
      const integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`
      const dist = { tarball: `${address}/packed.tgz`, integrity }
      const versions = { [manifest.version]: { ...manifest, dist } }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ name: manifest.name, 'dist-tags': { latest: manifest.version }, versions }))
    } else if (url === '/packed.tgz') response.end(packed)
    else response.writeHead(302, { location: new URL(url.slice(1), other.replace(/\/*$/, '/')).href }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { address, close: () => server.close() }
}
