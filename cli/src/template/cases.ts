import type { ChosenValue } from '../model/model.ts'
import { entriesOf, type Node, nodesIn, scalarText } from './document.ts'
import { namesWithConditions, READ_PROPERTIES, readParts } from './relevant.ts'
import { type Assumptions, createResolver, type Links } from './resolve.ts'
import { PSEUDO_PARAMETERS } from './text.ts'

/** One of the values that the open parameters and conditions of a template can have. */
export interface TemplateCase extends Assumptions {
  given: ReadonlyMap<string, string>
  /** `with Env=prod`. Empty if nothing is open. */
  label: string
  /** The values that the template does not list, but that its conditions distinguish. They may exclude each other. */
  assumed: Readonly<Record<string, string>>
}

/** More cases are not combined: then each parameter varies alone. */
const MAX_CASES = 64

const OF_FUNCTION = READ_PROPERTIES.get('AWS::Serverless::Function') as readonly string[]

type Entries = ReadonlyMap<string, Node>

/** The names that decide about messages: those in the parts that are read, and in Globals. */
function relevantNames(document: Node, conditions: Entries): Set<string> {
  const globals = entriesOf(entriesOf(entriesOf(document).get('Globals')).get('Function'))
  const read = Array.from(globals).filter(([name]) => OF_FUNCTION.includes(name))
  return namesWithConditions([...readParts(document).values(), ...read.map(([, node]) => node)], conditions)
}

/** The constants with which conditions compare a parameter. */
function comparedWith(name: string, conditions: Entries): string[] {
  const values = Array.from(conditions.values()).flatMap((condition) =>
    Array.from(nodesIn(condition).keys()).flatMap((node) => {
      const sides = entriesOf(node).get('Fn::Equals')
      if (sides?.kind !== 'list') return []
      const isCompared = sides.items.some((side) => scalarText(entriesOf(side).get('Ref')) === name)
      return isCompared ? sides.items.flatMap((side) => scalarText(side) ?? []) : []
    }),
  )
  return [...new Set(values)]
}

/** A value of a parameter. Undefined stands for every value with which no condition compares it. */
type Choice = { name: string; value: string | undefined; isAllowed?: true }

function choicesOf(name: string, declaration: Node | undefined, conditions: Entries): Choice[] {
  const declared = entriesOf(declaration)
  const type = String(scalarText(declared.get('Type')))
  if (declared.has('Default') && !type.startsWith('AWS::SSM::')) return []
  const allowed = declared.get('AllowedValues')
  if (allowed?.kind === 'list')
    return allowed.items.map((item) => ({ name, value: String(scalarText(item)), isAllowed: true }))
  const values = comparedWith(name, conditions)
  return values.length === 0 ? [] : [...values, undefined].map((value) => ({ name, value }))
}

/**
 * The parameters that decide about messages, have several allowed values, and are not given, with their defaults. Without
 * a default, the value is the first allowed one.
 */
export function chosenValues(document: Node, given: ReadonlyMap<string, string>): ChosenValue[] {
  const { conditions, parameters } = createResolver(document, given)
  return [...relevantNames(document, conditions)].flatMap((name) => {
    const declared = entriesOf(parameters.get(name))
    const allowed = declared.get('AllowedValues')
    const isRead = String(scalarText(declared.get('Type'))).startsWith('AWS::SSM::')
    if (given.has(name) || isRead || allowed?.kind !== 'list' || allowed.items.length === 0) return []
    const standard = scalarText(declared.get('Default'))
    return { name, value: standard ?? String(scalarText(allowed.items[0])), isDefault: standard !== undefined }
  })
}

function product(lists: readonly Choice[][]): Choice[][] {
  return lists.reduce<Choice[][]>((all, list) => all.flatMap((one) => list.map((choice) => [...one, choice])), [[]])
}

function toCase(choices: readonly Choice[], given: ReadonlyMap<string, string>): TemplateCase {
  const known = choices.filter((choice): choice is Choice & { value: string } => choice.value !== undefined)
  const other = new Set(choices.filter(({ value }) => value === undefined).map(({ name }) => name))
  const texts = choices.map(({ name, value }) =>
    value === undefined ? `another value of ${name}` : `${name}=${value}`,
  )
  return {
    given: new Map([...given, ...known.map(({ name, value }): [string, string] => [name, value])]),
    other,
    verdicts: new Map(),
    label: texts.length === 0 ? '' : `with ${texts.join(' and ')}`,
    assumed: Object.fromEntries(
      choices.flatMap(({ name, value = '', isAllowed }) => (isAllowed ? [] : [[name, value]])),
    ),
  }
}

/**
 * The cases of a template: each allowed value of a parameter without a default, each value with which a condition
 * compares such a parameter, and both results of a comparison that is still open.
 */
export function casesOf(document: Node, given: ReadonlyMap<string, string>, links?: Links): TemplateCase[] {
  const { conditions, parameters } = createResolver(document, given, undefined, links)
  const names = relevantNames(document, conditions)
  const open = [...names].filter(
    (name) =>
      !given.has(name) && !links?.parameters.has(name) && (parameters.has(name) || PSEUDO_PARAMETERS.includes(name)),
  )
  const lists = open.map((name) => choicesOf(name, parameters.get(name), conditions)).filter((list) => list.length > 0)
  const count = lists.reduce((total, list) => total * list.length, 1)
  const combined = count <= MAX_CASES ? product(lists) : lists.flatMap((list) => list.map((choice) => [choice]))
  const cases = combined.map((choices) => toCase(choices, given))
  return cases.flatMap((one) => {
    const split = withVerdicts(document, one, names, links)
    return split.length * cases.length <= MAX_CASES ? split : one
  })
}

/** Splits a case by the comparisons that are still open, in the conditions among the names. */
function withVerdicts(document: Node, one: TemplateCase, names: Iterable<string>, links?: Links): TemplateCase[] {
  const { holds, open } = createResolver(document, one.given, one, links)
  for (const name of names) holds(name)
  return Array.from(open).reduce<TemplateCase[]>(
    (all, [comparison, name]) =>
      all.length > MAX_CASES
        ? all
        : all.flatMap((each) =>
            [true, false].map((verdict) => ({
              ...each,
              verdicts: new Map([...each.verdicts, [comparison, verdict]]),
              assumed: { ...each.assumed, [`condition ${name}`]: String(verdict) },
              label: `${each.label === '' ? 'if' : `${each.label}, if`} ${name} is ${verdict}`,
            })),
          ),
    [one],
  )
}
