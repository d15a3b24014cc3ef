import { functionAt } from '../../src/linker/functions.ts'
import { queueAt } from '../../src/linker/queues.ts'
import { indexOf, isOfOtherService, linkTo } from '../../src/linker/references.ts'
import type { Inventory } from '../../src/model/declaration.ts'
import type { LambdaFunction, Queue } from '../../src/model/model.ts'
import { unknown } from '../../src/model/setting.ts'
import { type Tree, textIn } from '../../src/model/tree.ts'

/** A value that refers to a resource. */
export function reference(id: string): Tree {
  return { ...unknown('x'), refersTo: { to: [{ id }], unresolved: [] } }
}

/** The function that a value names. */
export function linkedFunction(inventory: Inventory, tree: Tree): LambdaFunction {
  return functionAt(indexOf(inventory), tree)
}

/** The queue that a value names. Undefined if the value is that of another event source. */
export function linkedQueue(inventory: Inventory, tree: Tree): Queue | undefined {
  const index = indexOf(inventory)
  const found = linkTo(index, tree, 'queue')
  return isOfOtherService(textIn(tree), found) ? undefined : queueAt(index, found, tree.position)
}
