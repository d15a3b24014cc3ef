import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { folderAt } from '../code-search/imports.ts'
import type { Model } from '../model/model.ts'
import { oneLine, UsageError } from '../shared/errors.ts'
import { decode, isFile, readText } from '../shared/text-file.ts'
import { readAssembly } from '../template/assembly.ts'
import { refuseConfiguration } from '../template/other-tools.ts'
import { parseTemplate, readModel } from '../template/read-template.ts'
import type { Template } from '../template/scope.ts'
import { parseTerraformJson } from '../terraform/plan.ts'
import { readPlan } from '../terraform/read-plan.ts'
import type { Presentation } from './presentation.ts'

export interface Input extends Presentation {
  name: string
  error?: string
  template?: Template
  /** Missing if the input was not read. */
  read?: (parameters: ReadonlyMap<string, string>) => Model
}

const STANDARD_INPUT = 'standard input'
/** The Serverless Framework repeats the template in its state, beside the template. */
const NOT_SEARCHED = /^(node_modules|serverless-state\.json|\..+)$/

export function errorText(name: string, error: unknown): string {
  if (error instanceof UsageError) return error.message
  const { code } = error as NodeJS.ErrnoException
  return `${name} cannot be read (${code ?? oneLine(error)})`
}

function failed(name: string, error: unknown): Input {
  return { name, kind: 'template', error: errorText(name, error) }
}

/** What is read under a name. If it cannot be read, it does not hide the findings of others. */
function inputsOf(name: string, read: () => Input[]): Input[] {
  try {
    return read()
  } catch (error) {
    return [failed(name, error)]
  }
}

function parse(name: string, text: string): Input {
  const shown = parseTerraformJson(name, text)
  if (!shown) return ofTemplate(parseTemplate(name, text))
  const kind = shown.planned_values === undefined ? 'state' : 'plan'
  return { name, kind, syntax: 'terraform', read: () => readPlan(shown) }
}

export function ofTemplate(template: Template): Input {
  const { file, syntax } = template
  return { name: file, kind: 'template', file, syntax, template, read: (given) => readModel(template, given) }
}

function readFile(path: string): Input[] {
  return inputsOf(path, () => {
    refuseConfiguration(path)
    return [parse(path, readText(path))]
  })
}

/** Whether a file in a folder is meant to be an input, even if it cannot be parsed. */
function looksLikeInput(text: string): boolean {
  const isTemplate = /(^|[\s{,"])Resources"?\s*:/.test(text) && /\bAWS::\w+::\w/.test(text)
  return isTemplate || /^\s*{\s*"format_version"/.test(text)
}

/** All stacks of a folder that `cdk synth` wrote. Undefined if it is another folder. */
export function readStacks(folder: string): Input[] | undefined {
  const stacks = readAssembly(folder)
  return stacks?.map(({ template, file, error }) => (template ? ofTemplate(template) : failed(file, error)))
}

/** The templates in a folder and in its subfolders, and plans and states in the form of JSON. */
function readFolder(folder: string): Input[] {
  return inputsOf(folder, () => {
    const entries = readdirSync(folder, { withFileTypes: true }) // sorted by name
    const stacks = entries.some(({ name }) => name === 'manifest.json') ? readStacks(folder) : undefined
    if (stacks) return stacks
    return entries.flatMap((entry) => {
      const path = join(folder, entry.name)
      if (NOT_SEARCHED.test(entry.name)) return []
      if (entry.isDirectory()) return readFolder(path)
      if (!/\.(ya?ml|json|template)$/.test(entry.name) || !isFile(path)) return []
      return inputsOf(path, () => {
        const text = readText(path)
        if (entry.name === 'manifest.json') JSON.parse(text) // it may be a broken one of the CDK
        return looksLikeInput(text) ? readFile(path) : []
      })
    })
  })
}

/** Reads a file, `-` for standard input, or what is in a folder. If there is nothing, the reason. */
async function readPath(path: string): Promise<Input[]> {
  if (path === '-') {
    const read = buffer(process.stdin).then((bytes) => parse(STANDARD_INPUT, decode(bytes)))
    return [await read.catch((error) => failed(STANDARD_INPUT, error))]
  }
  if (folderAt(path) === undefined) return readFile(path)
  const found = readFolder(path)
  return found.length > 0 ? found : [failed(path, new UsageError(`${path} has no template`))]
}

/** Reads all inputs one after another. */
export async function readInputs(paths: readonly string[]): Promise<Input[]> {
  const inputs: Input[] = []
  for (const path of paths) inputs.push(...(await readPath(path)))
  return inputs
}
