/**
 * Which record may start next. A standard queue's records may all run at once; of a FIFO queue's message group one may
 * run at a time, in order, and none after a failure. In both cases what is handed out is always the first record of
 * the batch that may start (rules 1 and 6). Chunks of records go through in the same way.
 */
export interface Lanes {
  /** The most records that can ever run at once. */
  readonly width: number
  /** The next record that may start now, by its index; `undefined` where none may. */
  next(): number | undefined
  /** Takes it. */
  take(): number | undefined
  /** A record that was taken has succeeded: what waits behind it may start. */
  succeeded(index: number): void
  /** A record that was taken has failed. Returns the records that must not start any more because of it. */
  failed(index: number): readonly number[]
}

const NONE: readonly number[] = []

/**
 * @param size how many records the batch has
 * @param groups the message group of each on a FIFO queue; a record of no FIFO queue has none and waits for nothing
 * @param fifoFailure what a failure blocks: the rest of its group, or all that has not started
 */
export function toLanes(
  size: number,
  groups: readonly (string | undefined)[] | undefined,
  fifoFailure: 'group' | 'batch',
): Lanes {
  return groups === undefined ? oneEach(size) : oneForEachGroup(groups, fifoFailure)
}

function oneEach(size: number): Lanes {
  let next = 0
  return {
    width: size,
    next: () => (next < size ? next : undefined),
    take: () => (next < size ? next++ : undefined),
    succeeded() {},
    failed: () => NONE,
  }
}

function oneForEachGroup(groups: readonly (string | undefined)[], fifoFailure: 'group' | 'batch'): Lanes {
  const lanes = new Map<unknown, number[]>()
  for (const [index, group] of groups.entries()) {
    const key = group ?? index // a number is no group's name: a lane of its own
    const lane = lanes.get(key)
    if (lane) lane.push(index)
    else lanes.set(key, [index])
  }
  // The waiting records of each lane, last first, so that the next one is popped.
  const laneOf: number[][] = new Array(groups.length)
  const ready: number[] = []
  for (const lane of lanes.values()) {
    for (const index of lane) laneOf[index] = lane
    lane.reverse()
    ready.push(lane.pop() as number)
  }
  // Invariant: `ready` holds the first waiting record of each lane of which none runs, last first.
  ready.reverse()

  return {
    width: lanes.size,
    next: () => ready.at(-1),
    take: () => ready.pop(),
    succeeded(index) {
      const next = (laneOf[index] as number[]).pop()
      if (next === undefined) return
      ready.splice(placeOf(next, ready), 0, next)
    },
    failed(index) {
      if (fifoFailure === 'group') return (laneOf[index] as number[]).splice(0)
      return [...ready.splice(0), ...[...lanes.values()].flatMap((lane) => lane.splice(0))]
    },
  }
}

/** Where a number belongs among numbers in descending order. */
function placeOf(number: number, descending: readonly number[]): number {
  let low = 0
  let high = descending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((descending[middle] as number) > number) low = middle + 1
    else high = middle
  }
  return low
}
