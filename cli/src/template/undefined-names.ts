import type { Rejected } from '../model.ts'
import { closest } from './closest.ts'
import { type Node, nodesIn, type Position } from './document.ts'
import type { Reader } from './reader.ts'

const READ = /^AWS::(Lambda::(Function|Alias|Version|EventSourceMapping)|Serverless::Function|SQS::Queue)$/
const EXPANDED = /^AWS::Serverless::|::MODULE$/
/** Names of resources that SAM adds, and that do not begin with the name of a resource of the template. */
const ADDED_BY_SAM = /^(Serverless|CodeDeploy|ApiGateway|RecordSet)/

const SOURCE = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html'

/** A call of an intrinsic function. */
function callIn(node: Node): { name: string; argument: Node } | undefined {
  const [[name = '', argument] = [], ...more] = node.kind === 'map' ? node.entries : []
  return argument && more.length === 0 && /^(Ref$|Condition$|Fn::)/.test(name) ? { name, argument } : undefined
}

/**
 * The references to names that the template does not define. CloudFormation rejects such a template. The template must
 * be final, because a macro, a loop or another tool can define names.
 */
export function undefinedNames({ root, resources, parameters, conditions, typeOf }: Reader) {
  const found: Rejected[] = []
  const transform = root.kind === 'map' ? root.entries.get('Transform') : undefined
  const ids = [...resources.keys()]
  const isExpanded = transform !== undefined || ids.some((id) => EXPANDED.test(typeOf(id)))
  /** Whether SAM or a module may add a resource with this name. */
  const mayBeAdded = (name: string) => isExpanded && (ADDED_BY_SAM.test(name) || ids.some((id) => name.startsWith(id)))

  function collect(id: string, declaration: Node, isCondition = false): void {
    function add(reference: string, kind: string, position: Position, ...defined: ReadonlyMap<string, Node>[]) {
      const [name = ''] = reference.split('.')
      if (!/^\w+$/.test(name) || defined.some((names) => names.has(name))) return
      if (kind !== 'condition' && mayBeAdded(name)) return
      const meant = closest(name, new Set(defined.flatMap((names) => [...names.keys()])))
      found.push({
        id,
        position,
        reason: `${name}: there is no ${kind} with this name in the template`,
        fix: meant === undefined ? 'Correct the name, or define it.' : `Correct the name. Did you mean ${meant}?`,
        source: SOURCE,
      })
    }
    function addVariables(argument: Node, position: Position): void {
      const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
      const own = variables?.kind === 'map' ? variables.entries : new Map<string, Node>()
      if (head?.kind !== 'scalar') return
      for (const [, name = ''] of String(head.value).matchAll(/\$\{\s*([\w.]+)\s*\}/g)) {
        if (!own.has(name)) add(name, 'parameter or resource', position, parameters, resources)
      }
    }
    for (const [node, around] of nodesIn(declaration)) {
      const { name, argument } = callIn(node) ?? {}
      if (!argument) continue
      // The position of the outermost function is also that of the setting.
      const { position } = around.find(callIn) ?? node
      const [first] = argument.kind === 'list' ? argument.items : [argument]
      const value = first?.kind === 'scalar' ? String(first.value) : ''
      if (name === 'Ref') add(value, 'parameter or resource', position, parameters, resources)
      if (name === 'Fn::GetAtt') add(value, 'resource', position, resources)
      if (name === 'Fn::If' || (name === 'Condition' && isCondition)) add(value, 'condition', position, conditions)
      if (name === 'Fn::Sub') addVariables(argument, position)
    }
    const condition = declaration.kind === 'map' && !isCondition ? declaration.entries.get('Condition') : undefined
    if (condition?.kind === 'scalar') add(String(condition.value), 'condition', condition.position, conditions)
  }

  for (const [id, declaration] of conditions) collect(id, declaration, true)
  for (const [id, declaration] of resources) if (READ.test(typeOf(id))) collect(id, declaration)
  return found
}
