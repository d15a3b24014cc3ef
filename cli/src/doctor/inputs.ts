import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { Model } from '../model/model.ts'
import { oneLine, UsageError } from '../shared/errors.ts'
import { decode, isFile, readText } from '../shared/text-file.ts'
import { readAssembly } from '../template/assembly.ts'
import { CONFIGURATION, isOfSst, refuseConfiguration } from '../template/other-tools.ts'
import { parametersOf, parseTemplate, readModel, type Template } from '../template/read-template.ts'
import { parseTerraformJson } from '../terraform/plan.ts'
import { readPlan } from '../terraform/read-plan.ts'
import type { Presentation } from './presentation.ts'

/** An input that was read, or the reason why it was not. */
export interface Input extends Presentation {
  name: string
  error?: string
  template?: Template
  /** Missing if the input was not read. */
  read?: (parameters: ReadonlyMap<string, string>) => Model
}

const STANDARD_INPUT = 'standard input'
const NOT_SEARCHED = /^(node_modules|\..+)$/
const MANIFEST = 'manifest.json'
/** The file that the Serverless Framework writes beside the template. It repeats the template. */
const SERVERLESS_STATE = 'serverless-state.json'

/** An input that cannot be read. It never hides the findings of the others. */
function failed(name: string, error: unknown): Input {
  return { name, kind: 'template', error: errorText(name, error) }
}

/** Why an input cannot be read, in one line. */
export function errorText(name: string, error: unknown): string {
  if (error instanceof UsageError) return error.message
  const { code } = error as NodeJS.ErrnoException
  return `${name} cannot be read (${code ?? oneLine(error)})`
}

function parse(name: string, text: string): Input {
  const shown = parseTerraformJson(name, text)
  if (!shown) return ofTemplate(parseTemplate(name, text))
  const kind = shown.planned_values === undefined ? 'state' : 'plan'
  return { name, kind, syntax: 'terraform', read: () => readPlan(shown) }
}

export function ofTemplate(template: Template): Input {
  const { file, syntax } = template
  return { name: file, kind: 'template', file, syntax, template, read: (parameters) => readModel(template, parameters) }
}

async function readOne(path: string): Promise<Input> {
  const name = path === '-' ? STANDARD_INPUT : path
  try {
    refuseConfiguration(path)
    return parse(name, path === '-' ? decode(await buffer(process.stdin)) : readText(path))
  } catch (error) {
    return failed(name, error)
  }
}

/** Whether a file in a folder is meant to be a template, even if it cannot be parsed. */
function looksLikeTemplate(text: string): boolean {
  return /(^|[\s{,"])Resources"?\s*:/.test(text) && /\bAWS::\w+::\w/.test(text)
}

/** All stacks of a folder that `cdk synth` wrote. Undefined if it is another folder. */
export function readStacks(folder: string): Input[] | undefined {
  const stacks = readAssembly(folder)
  return stacks?.map(({ template, file, error }) => (template ? ofTemplate(template) : failed(file, error)))
}

/** The templates in a folder and in its subfolders, and plans and states in the form of JSON. */
async function readFolder(folder: string): Promise<Input[]> {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }) // sorted by name
    const stacks = entries.some(({ name }) => name === MANIFEST) ? readStacks(folder) : undefined
    if (stacks) return stacks
    const inputs: Input[] = []
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (NOT_SEARCHED.test(entry.name) || entry.name === SERVERLESS_STATE) continue
      if (entry.isDirectory()) inputs.push(...(await readFolder(path)))
      else if (/\.(ya?ml|json|template)$/.test(entry.name) && isFile(path)) inputs.push(...(await readFound(path)))
    }
    return inputs
  } catch (error) {
    return [failed(folder, error)]
  }
}

/** A file in a folder, if it is a template, a plan or a state, or cannot be read. */
async function readFound(path: string): Promise<Input[]> {
  try {
    const text = readText(path)
    const isPlan = /^\s*{\s*"format_version"/.test(text)
    return looksLikeTemplate(text) || isPlan ? [await readOne(path)] : []
  } catch (error) {
    return [failed(path, error)]
  }
}

/** Explains why a folder has nothing to read. */
async function readEmptyFolder(folder: string): Promise<Input> {
  const configuration = readdirSync(folder).find((name) => CONFIGURATION.test(name))
  if (configuration !== undefined) return readOne(join(folder, configuration))
  return failed(folder, new UsageError(`${folder} has no template`))
}

/** Reads all inputs: files, `-` for standard input, folders, and the output folders of the CDK. */
export async function readInputs(paths: readonly string[]): Promise<Input[]> {
  const inputs: Input[] = []
  for (const path of paths) {
    const isFolder = path !== '-' && !isOfSst(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory()
    if (!isFolder) inputs.push(await readOne(path))
    else {
      const found = await readFolder(path)
      inputs.push(...(found.length > 0 ? found : [await readEmptyFolder(path)]))
    }
  }
  return inputs
}

/** The names of all parameters that the templates have. Undefined if no input is a template. */
export function parameterNames(inputs: readonly Input[]): Set<string> | undefined {
  const templates = inputs.flatMap(({ template }) => template ?? [])
  return templates.length === 0 ? undefined : new Set(templates.flatMap(parametersOf))
}
