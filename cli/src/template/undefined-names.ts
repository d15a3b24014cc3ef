import type { Rejected } from '../model.ts'
import { closest } from './closest.ts'
import type { Node, Position } from './document.ts'
import type { Reader } from './reader.ts'

const READ = /^AWS::(Lambda::(Function|Alias|Version|EventSourceMapping)|Serverless::Function|SQS::Queue)$/
const EXPANDED = /^AWS::Serverless::|::MODULE$/
/** Names of resources that SAM adds, and that do not begin with the name of a resource of the template. */
const ADDED_BY_SAM = /^(Serverless|CodeDeploy|ApiGateway|RecordSet)/

const SOURCE = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html'

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
    const seen = new Set<Node>()
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
    function visitSub(argument: Node, position: Position): void {
      const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
      const own = variables?.kind === 'map' ? variables.entries : new Map<string, Node>()
      if (head?.kind !== 'scalar') return
      for (const [, name = ''] of String(head.value).matchAll(/\$\{\s*([\w.]+)\s*\}/g)) {
        if (!own.has(name)) add(name, 'parameter or resource', position, parameters, resources)
      }
    }
    /** `position` is that of the outermost function, which is also the position of the setting. */
    function visit(node: Node, position?: Position): void {
      if (node.kind === 'scalar' || seen.has(node)) return
      seen.add(node)
      if (node.kind === 'list') {
        for (const item of node.items) visit(item, position)
        return
      }
      const [[name, argument] = [], ...more] = node.entries
      const isFunction = more.length === 0 && /^(Ref$|Condition$|Fn::)/.test(name ?? '')
      const at = position ?? node.position
      if (isFunction && argument) {
        const [first] = argument.kind === 'list' ? argument.items : [argument]
        const value = first?.kind === 'scalar' ? String(first.value) : ''
        if (name === 'Ref') add(value, 'parameter or resource', at, parameters, resources)
        if (name === 'Fn::GetAtt') add(value, 'resource', at, resources)
        if (name === 'Fn::If' || (name === 'Condition' && isCondition)) add(value, 'condition', at, conditions)
        if (name === 'Fn::Sub') visitSub(argument, at)
      }
      for (const child of node.entries.values()) visit(child, isFunction ? at : position)
    }
    visit(declaration)
    const condition = declaration.kind === 'map' && !isCondition ? declaration.entries.get('Condition') : undefined
    if (condition?.kind === 'scalar') add(String(condition.value), 'condition', condition.position, conditions)
  }

  for (const [id, declaration] of conditions) collect(id, declaration, true)
  for (const [id, declaration] of resources) if (READ.test(typeOf(id))) collect(id, declaration)
  return found
}
