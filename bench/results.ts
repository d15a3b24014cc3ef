import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { measureFeatures } from './features.ts'
import { measureFifo } from './fifo.ts'
import { measureHeap } from './heap.ts'
import { measureHttp } from './http.ts'
import { measureOverhead } from './overhead.ts'
import { measureStart } from './start.ts'

/** What can be measured, each in a process of its own. */
export const PARTS = {
  overhead: measureOverhead,
  features: measureFeatures,
  http: measureHttp,
  fifo: measureFifo,
  heap: measureHeap,
  start: measureStart,
}
export type Part = keyof typeof PARTS
export const partNames = Object.keys(PARTS) as Part[]

export type Stamp = Awaited<ReturnType<typeof stamp>>
export type Results = { [P in Part]?: Awaited<ReturnType<(typeof PARTS)[P]>> & Stamp }

export const directory = join(import.meta.dirname, 'results')
const fileOf = (part: Part) => join(directory, `${part}.json`)

export async function readResults(): Promise<Results> {
  const results: Record<string, unknown> = {}
  for (const part of partNames) {
    try {
      results[part] = JSON.parse(await readFile(fileOf(part), 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return results
}

export async function writeResult(part: Part, results: Results): Promise<void> {
  await mkdir(directory, { recursive: true })
  // Six digits say more than any sample is worth; an array of numbers is a line.
  const digits = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)
  const text = JSON.stringify(results[part], digits, 2).replace(/\[[\d\s.,-]+\]/g, (list) => list.replace(/\s+/g, ' '))
  await writeFile(fileOf(part), `${text}\n`)
}

/** When and on what something was measured. */
export async function stamp() {
  const cores = availableParallelism()
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim()}, ${cores} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`,
    node: process.versions.node,
    versions: await versions(),
  }
}

async function versions(): Promise<Record<string, string>> {
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'))
  const { dependencies } = await read(join(import.meta.dirname, 'package.json'))
  const found = Object.keys(dependencies).map(async (name) => {
    const { version } = await read(findPackageJSON(name, import.meta.url) as string)
    return [name, version] as const
  })
  return Object.fromEntries(await Promise.all(found))
}
