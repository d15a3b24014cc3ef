import { basename } from 'node:path'
import { type InitError, UsageError } from '../shared/errors.ts'
import { isTypeScript } from '../shared/handler-file.ts'

/** What Node reports if a file is an ES module, but the `type` in package.json is `commonjs`. */
const NO_ES_MODULE = /Cannot use import statement outside a module|Unexpected token 'export'/

/** The usage error for a function that cannot be loaded, with what to do. */
export function notLoaded(handler: string, options: { file: string }, error: InitError): UsageError {
  return new UsageError(`${handler} could not be loaded: ${error.message}${hintFor(options, error)}`)
}

/** Node only removes types from TypeScript. It compiles no enum, and does not find ./x.ts for ./x.js. */
function hintFor({ file }: { file: string }, { message }: InitError) {
  if (/require\(\) of ES Module/.test(message)) {
    return '. Lambda turns off require() of ES modules: bundle the handler, or use import()'
  }
  if (/\.[jt]s$/.test(file) && NO_ES_MODULE.test(message)) {
    const name = basename(file).replace(/[jt]s$/, 'm$&')
    return `. Add "type": "module" to a package.json that is deployed with it, or rename the file to ${name}`
  }
  if (!isTypeScript(file) || !/strip-only mode|Cannot find module .* imported from .*ts$/.test(message)) return ''
  const flags = '--bundle --packages=external --platform=node --format=esm --outfile=handler.mjs'
  return `. Bundle it first (esbuild ${file} ${flags}), and pass handler.mjs`
}
