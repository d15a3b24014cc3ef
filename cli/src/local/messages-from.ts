import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { kindOf, oneLine, UsageError } from '../shared/errors.ts'
import { type InputMessage, toMessage } from './messages.ts'

/**
 * Reads messages from an export that is an iterable, an async iterable, or a function that returns one. An item is a
 * message with a `body`, a body, or a promise of one of them. Items are taken one at a time, when they are needed.
 */
export async function iterateExport(
  file: string,
  exportName: string,
  fifo: boolean,
): Promise<AsyncIterable<InputMessage>> {
  if (!existsSync(file)) throw new UsageError(`--messages-from: there is no file ${file}`)
  const exportText = `${exportName} of ${file}`
  const exported = await attempt(`${file} could not be loaded`, async () => {
    const module = await import(pathToFileURL(resolve(file)).href)
    return module[exportName]
  })
  const items: unknown = typeof exported === 'function' ? await attempt(exportText, () => exported()) : exported
  if (!isIterable(items)) {
    const expected = 'an iterable, an async iterable, or a function that returns one'
    throw new UsageError(
      `--messages-from: the export ${exportText} is ${exported === undefined ? 'missing' : kindOf(items)}. Expected ${expected}`,
    )
  }
  // A promise of an array can reject while an earlier one is awaited. Without a handler, Node would end the process.
  if (Array.isArray(items)) for (const item of items) if (item instanceof Promise) item.catch(() => {})
  return toMessages(items, file, fifo)
}

async function* toMessages(items: AsyncIterable<unknown> | Iterable<unknown>, file: string, fifo: boolean) {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  for (let number = 1; ; number++) {
    const name = `message ${number.toLocaleString('en-US')} of ${file}`
    const { done, value } = await attempt(name, () => iterator.next())
    if (done) return
    const item = await attempt(name, () => value) // an iterable can have promises
    try {
      yield toMessage(item, fifo)
    } catch (error) {
      throw new UsageError(`--messages-from: ${name} ${(error as Error).message}`)
    }
  }
}

/** Converts an error in the user's file to a UsageError with one line. */
async function attempt<T>(what: string, run: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw new UsageError(`--messages-from: ${what}: ${oneLine(error)}`)
  }
}

/** A string is iterable too, but it is refused: each of its characters would become a message. */
function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}
