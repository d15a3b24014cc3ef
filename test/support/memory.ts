import { setImmediate as nextIteration } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MAX_COLLECTIONS = 20

/** Collects all garbage. V8 can keep an object a little longer, although nothing holds it. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/**
 * Collects garbage until all references are empty, at most `MAX_COLLECTIONS` times. After that, a reference is empty
 * unless something holds its object.
 */
export async function collectReferences(...references: readonly WeakRef<object>[]): Promise<void> {
  for (let collections = 0; collections < MAX_COLLECTIONS; collections++) {
    collectGarbage()
    if (references.every((reference) => reference.deref() === undefined)) return
    await nextIteration() // deref() keeps its object alive until then
  }
}
