import type { Inventory } from '../model/declaration.ts'
import { resourceOf } from '../model/partial-text.ts'
import { entriesOf, type Tree, textIn } from '../model/tree.ts'
import { namesIn, nodesIn } from './document.ts'
import { evaluate } from './evaluate.ts'
import { type Scope, scopeAround } from './scope.ts'

/** Keys of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(RedrivePolicy|DeadLetter(Config|Queue|Arn|TargetArn)|OnFailure)$/

/** The ids that the intrinsic functions of a tree name, whether they are evaluated or not. */
export function mentionsIn(scope: Scope, root: Tree): string[] {
  return nodesIn(root).flatMap((node) => {
    const { prefix } = scopeAround(scope, node)
    return entriesOf(node).flatMap(([key, value]) => {
      // The topic or queue that SAM makes for the failures of a function is not the function.
      const names = namesIn(key, value).filter((name) => !/\.Destination(Topic|Queue)/.test(name))
      return names.map((name) => prefix + resourceOf(name))
    })
  })
}

/** What names a dead-letter queue or a destination of failures: of unknown values, all that they mention. */
export function deadLetterTargetsIn(scope: Scope): Inventory['deadLetterTargets'] {
  return Array.from(scope.resources).flatMap(([owner, resource]) => {
    const values = nodesIn(resource).flatMap((node) => {
      return entriesOf(node).flatMap(([key, value]) => (NAMES_DEAD_LETTERS.test(key) ? value : []))
    })
    return values.flatMap((value) =>
      nodesIn(evaluate(scope, value)).flatMap((part): Inventory['deadLetterTargets'] => {
        const isOpen = part.state === 'unknown' && textIn(part) === ''
        return isOpen ? mentionsIn(scope, value).map((id) => ({ owner, id })) : [{ owner, text: textIn(part) }]
      }),
    )
  })
}
