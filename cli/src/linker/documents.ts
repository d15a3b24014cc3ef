import { mapIn } from '../model/partial-text.ts'
import { at, each, entriesOf, type Tree, textIn } from '../model/tree.ts'

/** True or false only if it is certain. */
export type Verdict = boolean | undefined

/** The statements of policies. Undefined stands for a policy that is not known, which may allow anything. */
export type Statements = readonly (Tree | undefined)[]

/** Whether a value of `Principal` means the principal. `kind` is `AWS` or `Service`. */
export type IsPrincipal = (kind: string, value: Tree) => Verdict

/** The statements of a document, which can also be JSON text. */
export function statementsIn(document: Tree): Statements {
  const map = mapIn(document)
  if (map.state === 'absent') return []
  const statements = at(map, 'Statement')
  return map.state === 'map' && statements.state !== 'unknown' ? each(statements) : [undefined]
}

/**
 * Whether policies allow an action, to a principal if they name principals. Resources and conditions are not compared,
 * except that a denial with a condition counts as none.
 */
export function isAllowed(statements: Statements, action: string, isPrincipal?: IsPrincipal): Verdict {
  /** Whether a statement has the effect. What is not known applies, or not. */
  function some(effect: string, ifUnknown: boolean): boolean {
    const applies = (tree: Tree, is: (item: Tree) => Verdict) => each(tree).some((item) => is(item) ?? ifUnknown)
    return statements.some((statement) => {
      if (!statement) return ifUnknown && effect === 'Allow'
      if (!applies(at(statement, 'Effect'), (own) => isText(own, effect))) return false
      if (effect === 'Deny' && at(statement, 'Condition').state !== 'absent') return false
      const [actions, others] = [at(statement, 'Action'), at(statement, 'NotAction')]
      const isNamed = (item: Tree) => isText(item, action)
      const isMeant =
        actions.state === 'absent'
          ? !each(others).some((item) => isNamed(item) ?? !ifUnknown)
          : applies(actions, isNamed)
      return isMeant && (!isPrincipal || applies(at(statement, 'Principal'), (tree) => isOneOf(tree, isPrincipal)))
    })
  }
  if (!some('Allow', true)) return false
  return some('Allow', false) && !some('Deny', true) ? true : undefined
}

/** Whether a value is a text. It can have the wildcards of policies: `sqs:*Message`. */
function isText(tree: Tree, text: string): Verdict {
  if (tree.state !== 'known') return undefined
  const literal = String(tree.value).replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll(/\*+/g, '.*').replaceAll('?', '.')}$`, 'i').test(text)
}

/** Whether one of the principals is meant. */
function isOneOf(principal: Tree, isPrincipal: IsPrincipal): Verdict {
  if (principal.state !== 'map') return textIn(principal) === '*' ? true : undefined
  const verdicts = entriesOf(principal).flatMap(([kind, values]) =>
    each(values).map((value) => (kind === 'AWS' && textIn(value) === '*') || isPrincipal(kind, value)),
  )
  if (verdicts.includes(true)) return true
  return verdicts.includes(undefined) || principal.open ? undefined : false
}

/** A service by its name, such as `sns`. Its principal can have a region, and ends in the suffix of the partition. */
export function serviceNamed(name: string): IsPrincipal {
  return (kind, value) => {
    const text = textIn(value)
    if (text === '' || (kind === 'Service' && text.startsWith('\0'))) return undefined
    return kind === 'Service' && text.startsWith(`${name}.`)
  }
}
