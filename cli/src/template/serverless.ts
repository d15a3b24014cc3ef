import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, parseObject } from '../shared/json.ts'
import { readText } from '../shared/text-file.ts'
import type { Reader } from './reader.ts'

/** Every template of the Serverless Framework has this output. */
const OUTPUT = 'ServerlessDeploymentBucketName'

/** The file that the Serverless Framework writes beside the template. It repeats the template, and serverless.yml. */
export const SERVERLESS_STATE = 'serverless-state.json'

/** The names of the functions in serverless.yml. Empty if only the template is there. */
function namesBeside(folder: string): string[] {
  const file = join(folder, SERVERLESS_STATE)
  const { service } = (existsSync(file) && parseObject(readText(file))) || {}
  const { functions } = isObject(service) ? service : {}
  return Object.keys(isObject(functions) ? functions : {})
}

/** How the Serverless Framework writes the name of a function at the beginning of logical ids. */
function prefixOf(name: string): string {
  const prefix = name.replaceAll('-', 'Dash').replaceAll('_', 'Underscore')
  return `${prefix.slice(0, 1).toUpperCase()}${prefix.slice(1)}`
}

/** The name that most probably has this prefix: the framework does not keep whether it began with a capital letter. */
function nameOf(prefix: string): string {
  const name = prefix.replaceAll('Dash', '-').replaceAll('Underscore', '_')
  return `${name.slice(0, 1).toLowerCase()}${name.slice(1)}`
}

/**
 * For the output of `serverless package`: finds the function of serverless.yml that a function or a mapping is made
 * from, such as `functions.ship` for `ShipLambdaFunction`. Undefined for other templates.
 */
export function serverlessIn({ root, resolve, property, typeOf, folder }: Reader) {
  if (property(property(resolve(root), 'Outputs'), OUTPUT).kind === 'absent') return undefined
  const names = namesBeside(folder)
  return function functionOf(id: string): string | undefined {
    const prefix = String(/^(\w+?)(?:LambdaFunction|EventSourceMappingSQS\w*)$/.exec(id)?.[1])
    if (typeOf(`${prefix}LambdaFunction`) !== 'AWS::Lambda::Function') return undefined
    return `functions.${names.find((name) => prefixOf(name) === prefix) ?? nameOf(prefix)}`
  }
}
