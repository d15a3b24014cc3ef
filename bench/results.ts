import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { PARTS, type Part } from './parts.ts'

interface Result<P extends Part> {
  readonly measured: string
  readonly data: Awaited<ReturnType<(typeof PARTS)[P]>>
}
export type Results = { [P in Part]?: Result<P> }

const FILE = join(import.meta.dirname, 'results', 'results.json')

export async function measure(parts: readonly Part[], isShort: boolean): Promise<Results> {
  const results: Results = {}
  for (const part of parts) {
    Object.assign(results, { [part]: { measured: dateAndMachine(), data: await PARTS[part](isShort) } })
  }
  return results
}

function dateAndMachine(): string {
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB`
  return `${new Date().toISOString().slice(0, 10)} (${machine}, ${process.platform}, Node ${process.versions.node})`
}

export async function readResults(): Promise<Results> {
  return existsSync(FILE) ? JSON.parse(await readFile(FILE, 'utf8')) : {}
}

export async function writeResults(results: Results): Promise<void> {
  // No sample is accurate to six digits. A list of numbers takes one line.
  const digits = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)
  const text = JSON.stringify(results, digits, 2).replace(/\[[\d\s.,-]+\]/g, (list) => list.replace(/\s+/g, ' '))
  await writeFile(FILE, `${text}\n`)
}
