import type { Rejected } from '../model/model.ts'
import { type Position, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS, type Table } from '../model/settings.ts'
import { closest } from '../shared/closest.ts'
import { type Reader, SECTIONS } from './reader.ts'
import { READ_PROPERTIES } from './relevant.ts'
import { isOfOtherStack, type Resolved } from './resolve.ts'

const OF_DECLARATION = ['Type', 'Properties', 'Condition']
/** The settings in maps: `MaximumConcurrency` in `ScalingConfig`. */
const OF_SETTING = Map.groupBy(
  Object.values(MAPPING_SETTINGS as Table).filter(({ path }) => path.length > 1),
  ({ path }) => String(path[0]),
)
const OF_FUNCTION = READ_PROPERTIES.get('AWS::Serverless::Function') as readonly string[]
const OF_EVENT = READ_PROPERTIES.get('AWS::Lambda::EventSourceMapping') as readonly string[]
const TYPES = [...READ_PROPERTIES.keys()]

const SOURCE =
  'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html'

/**
 * Finds misspelled names of what `doctor` reads: a misspelled setting has no effect here, and CloudFormation rejects it.
 * A name that differs from a known one by one letter counts as misspelled. cfn-lint finds all other wrong names. The
 * template must be final, because a macro can replace properties.
 */
export function misspelledNames(reader: Reader): Rejected[] {
  const { root, resolve, resources, property, propertiesOf, typeOf, conditionOf, text } = reader
  const rejected: Rejected[] = []

  function reject(id: string, position: Position, reason: string, meant: string) {
    rejected.push({ id, position, reason, fix: `Correct the name. Did you mean ${meant}?`, source: SOURCE })
  }
  function check(id: string, map: Resolved, names: readonly string[], kind = 'property'): void {
    if (map.kind !== 'map') return
    for (const [name, declaration] of map.entries) {
      const value = resolve(declaration)
      // Fn::If may remove a property whose value is not known.
      const isSet = value.kind !== 'absent' && value.kind !== 'unknown'
      const meant = isSet && !names.includes(name) ? closest(name, names, 1) : undefined
      if (meant !== undefined) reject(id, declaration.position, `there is no ${kind} ${name}`, meant)
      const own = OF_SETTING.get(name)
      if (own)
        check(
          id,
          value,
          own.map(({ name }) => name),
        )
    }
  }
  function checkType(id: string, declaration: Resolved): void {
    const type = property(declaration, 'Type')
    const meant = TYPES.includes(typeOf(id)) ? undefined : closest(typeOf(id), TYPES, 1)
    if (meant !== undefined && type.position) {
      reject(id, type.position, `there is no resource type ${typeOf(id)}`, meant)
    }
  }

  check('the template', resolve(root), SECTIONS, 'section')
  const globals = property(resolve(root), 'Globals')
  check('Globals', globals, ['Function'], 'section')
  check('Globals', property(globals, 'Function'), OF_FUNCTION)
  for (const [id, node] of resources) {
    const type = typeOf(id)
    if (conditionOf(id)?.verdict === false || isOfOtherStack(id)) continue
    const declaration = resolve(node)
    checkType(id, declaration)
    const names = READ_PROPERTIES.get(type)
    if (type === '' || names) check(id, declaration, OF_DECLARATION)
    if (names) check(id, propertiesOf(id), names)
    const events = type === 'AWS::Serverless::Function' ? property(propertiesOf(id), 'Events') : undefined
    if (events?.kind !== 'map') continue
    for (const [name, declaration] of events.entries) {
      const event = resolve(declaration)
      check(`${id}/${name}`, event, OF_DECLARATION)
      if (valueIn(text(property(event, 'Type'))) !== 'SQS') continue
      check(`${id}/${name}`, property(event, 'Properties'), OF_EVENT)
    }
  }
  return rejected
}
