import { parse } from 'node:path'
import { pathToFileURL } from 'node:url'
import { kindOf } from '../../shared/errors.ts'
import { isTypeScript } from '../../shared/handler-file.ts'
import { isObject } from '../../shared/json.ts'

export type Handler = (event: unknown, context: object, callback?: Callback) => unknown
export type Callback = (error?: unknown, result?: unknown) => void

/**
 * Loads a handler as the runtime client of AWS does (aws-lambda-ric 4: `loadModule`, `resolveHandler`,
 * `errorOnDeprecatedCallback`). A test runs the same files on both. TypeScript, which that client cannot
 * load, is imported directly.
 */
export async function loadHandler(file: string, exportName: string, allowsCallbacks: boolean): Promise<Handler> {
  if (!isTypeScript(file)) checkName(file)
  const module = await import(pathToFileURL(file).href)
  const named = findIn(module, exportName)
  const handler = named || findIn(module.default, exportName)
  if (typeof handler !== 'function') throw notFound(explain(handler ?? named, exportName, module))
  if (handler.length >= 3 && !allowsCallbacks) {
    throw notFound(
      `${exportName} has ${handler.length} parameters. Expected a handler with the parameters event and context that ` +
        'returns a promise. If eachRecord() or eachChunk() made it, pass it to .handler() of Middy, and export the Middy ' +
        'handler. Lambda does not run handlers with a callback on Node.js 24 and newer. If the function has an older ' +
        'runtime, pass its template with --template',
    )
  }
  return handler as Handler
}

/** Lambda cuts the name of the file at its first dot, and imports the path as a URL. */
function checkName(file: string): void {
  const { name, ext } = parse(file)
  if (!/[.#?%]/.test(name)) return
  throw notFound(`Lambda cannot load ${name}${ext}: rename the file so that its name has no ".", "#", "?" or "%"`)
}

/**
 * Looks up an export by its path: `a.b` is `b` in the object `a`. Properties of functions do not count, so
 * the `handler` property of a `middy()` result is not found.
 */
function findIn(module: unknown, exportName: string): unknown {
  let value = module
  for (const key of exportName.split('.')) value = isObject(value) ? value[key] : undefined
  return value
}

function explain(handler: unknown, exportName: string, module: Record<string, unknown>): string {
  const names = Object.keys(module).filter((name) => name !== 'module.exports')
  const what =
    handler === undefined
      ? `there is no export named \`${exportName}\``
      : `the export ${exportName} is ${kindOf(handler)}, not a function`
  const isDefault = handler === undefined && typeof module.default === 'function'
  const hint = isDefault ? `. Lambda does not call a default export: write export const ${exportName} = …` : ''
  return `${what}. The file exports: ${names.join(', ') || 'nothing'}${hint}`
}

function notFound(message: string): Error {
  return Object.assign(new Error(message), { name: 'HandlerNotFound', stack: '' })
}
