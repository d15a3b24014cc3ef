import { readText } from '../shared/text-file.ts'
import { parseDocument } from '../template/document.ts'
import { createReader } from '../template/reader.ts'
import { createResolver, type Resolved } from '../template/resolve.ts'

/** Used instead of a variable name if the whole map is known only after deployment. */
export const ALL_VARIABLES = '*'

export interface TemplateEnvironment {
  variables: Record<string, string>
  /** Variables whose values are known only after deployment, and why. */
  unknown: { name: string; reason: string }[]
}

/** Reads Environment.Variables of a function in a template, merged with those of Globals in SAM. */
export async function readTemplateEnvironment(
  file: string,
  functionId: string,
  parameters: ReadonlyMap<string, string>,
): Promise<TemplateEnvironment> {
  const reader = createReader(createResolver(parseDocument(file, readText(file)), parameters))
  const { property, propertiesOf, typeOf, ignoresGlobals, resolve, root, text } = reader
  const variables: Record<string, string> = {}
  const unknown = new Map<string, string>()

  function add(properties: Resolved) {
    const declared = property(property(properties, 'Environment'), 'Variables')
    if (declared.kind === 'unknown') unknown.set(ALL_VARIABLES, declared.reason)
    if (declared.kind !== 'map') return
    for (const [name, node] of declared.entries) {
      const value = text(resolve(node))
      delete variables[name]
      unknown.delete(name)
      if (value.state === 'known') variables[name] = value.value
      if (value.state === 'unknown') unknown.set(name, value.reason)
    }
  }
  if (typeOf(functionId) === 'AWS::Serverless::Function' && !ignoresGlobals(functionId, 'Environment')) {
    add(property(property(resolve(root), 'Globals'), 'Function'))
  }
  add(propertiesOf(functionId))
  return { variables, unknown: Array.from(unknown, ([name, reason]) => ({ name, reason })) }
}
