import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import PQueue from 'p-queue'
import t, { type Test } from 'tap'
import { createSlots, type Slot } from '../../src/scheduler/slots.ts'

const { add } = PQueue.prototype

/** Slots, and holders that keep their slot until the test frees it. */
function slotsOf(limit: number) {
  const slots = createSlots(limit)
  const holders = new Map<string, Slot>()
  const started: string[] = []
  function enqueue(...names: string[]): void {
    for (const name of names) {
      const slot = slots.take()
      if (slot) hold(name, slot)
      else slots.wait((slot) => hold(name, slot))
    }
  }
  function hold(name: string, slot: Slot): void {
    if (holders.size >= slots.limit) throw new Error(`${name} starts, and ${[...holders.keys()]} hold slots`)
    started.push(name)
    holders.set(name, slot)
  }
  return {
    slots,
    /** The names of the holders, in the order of their start. */
    started,
    holding: () => [...holders.keys()],
    enqueue,
    free(...names: string[]): void {
      for (const name of names) {
        const slot = holders.get(name) as Slot
        holders.delete(name)
        slots.free(slot)
      }
    },
  }
}

function names(count: number, prefix = 'n'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

/** Counts the tasks that p-queue receives from now on. */
function countTasks(t: Test): () => number {
  const added = t.capture(PQueue.prototype, 'add', add)
  let count = 0
  return () => {
    count += added().length
    return count
  }
}

t.test('p-queue starts a task synchronously if a slot is free, as createSlots() requires', async (t) => {
  const consequence =
    'p-queue starts a task after add() has returned. take() in slots.ts then finds no slot, and some batches wait for ' +
    'ever. Keep the older p-queue, or change take()'
  const queue = new PQueue({ concurrency: 1 })
  for (const name of ['the first task', 'a task of an idle queue']) {
    let hasStarted = false
    const task = queue.add(async () => {
      hasStarted = true
    })
    t.ok(hasStarted, `${name}: ${consequence}`)
    await task
    await queue.onIdle()
  }
})

t.test('at most `limit` holders have a slot, and they get slots in order', async (t) => {
  const { slots, started, enqueue, free } = slotsOf(2)
  enqueue('a', 'b', 'c', 'd')
  t.strictSame(started, ['a', 'b'], 'the first two start at once')
  t.equal(slots.isContended(), true)
  free('b')
  await setImmediate()
  t.strictSame(started, ['a', 'b', 'c'])
  free('a')
  await setImmediate()
  t.strictSame(started, ['a', 'b', 'c', 'd'])
  t.equal(slots.isContended(), false)
})

t.test('at most ten slots exist after the construction, and the others are made when they are needed', async (t) => {
  for (const [limit, first] of [
    [1, 1],
    [9, 9],
    [10, 10],
    [11, 10],
    [Infinity, 10],
  ] as const) {
    const tasks = countTasks(t)
    const { started, enqueue } = slotsOf(limit)
    t.equal(tasks(), first, `limit ${limit}`)
    enqueue(...names(first))
    t.equal(tasks(), first, `limit ${limit}: they are used`)
    enqueue('another')
    t.equal(tasks(), first + 1)
    t.strictSame(started, limit > first ? [...names(first), 'another'] : names(first))
  }
})

t.test('free slots are kept, so a second batch needs no new task of p-queue', async (t) => {
  const { started, enqueue, free } = slotsOf(30)
  enqueue(...names(30, 'first '))
  free(...names(30, 'first '))
  const tasks = countTasks(t)
  for (const batch of ['second ', 'third ']) {
    enqueue(...names(30, batch))
    free(...names(30, batch))
    await setImmediate()
  }
  t.strictSame(started, [...names(30, 'first '), ...names(30, 'second '), ...names(30, 'third ')])
  t.equal(tasks(), 0)
})

t.test('a slot that was obtained by waiting is not kept', async (t) => {
  const { started, enqueue, free } = slotsOf(2)
  enqueue('a', 'b', 'c', 'd')
  free('a', 'b') // so c and d receive slots that p-queue made for them
  await setImmediate()
  free('c', 'd')
  await setImmediate()
  const tasks = countTasks(t)
  enqueue('e', 'f')
  t.strictSame(started, ['a', 'b', 'c', 'd', 'e', 'f'])
  t.equal(tasks(), 2, 'two new slots')
  free('e', 'f')
  enqueue('g', 'h')
  t.equal(tasks(), 2, 'they are kept')
})

t.test('no task of p-queue that makes a slot to keep has the async context of an invocation', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const contexts: unknown[] = []
  t.intercept(PQueue.prototype, 'add', {
    value: function (this: PQueue, ...args: Parameters<typeof add>) {
      contexts.push(storage.getStore())
      return add.apply(this, args)
    },
  })
  const { enqueue, free } = storage.run('construction', () => slotsOf(12))
  t.strictSame(contexts, Array(10).fill('construction'))
  storage.run('invocation', () => enqueue(...names(12)))
  t.strictSame(contexts, Array(12).fill('construction'))
  storage.run('invocation', () => enqueue('waiting'))
  t.strictSame(contexts.slice(12), ['invocation'], 'which is not kept')
  storage.run('invocation', () => free('n0'))
  await setImmediate()
  storage.run('invocation', () => free('waiting'))
  await setImmediate()
  storage.run('invocation', () => enqueue('n12'))
  t.strictSame(contexts.slice(13), ['construction'])
})
t.test('at most 1,000 free slots are kept', async (t) => {
  const { started, enqueue, free } = slotsOf(1_200)
  enqueue(...names(1_200, 'first '))
  free(...names(1_200, 'first '))
  await setImmediate()
  const tasks = countTasks(t)
  enqueue(...names(1_000, 'second '))
  t.equal(tasks(), 0)
  enqueue(...names(200, 'third '))
  t.equal(tasks(), 200)
  t.equal(started.length, 2_400)
})

// p-queue counts a task down in a microtask after its end.
for (const pause of ['before', 'after'] as const) {
  t.test(
    `when holders ask ${pause} p-queue has counted freed slots down, the limit is not exceeded and no slot is lost`,
    async (t) => {
      for (const limit of [1, 2, 4]) {
        for (const waiting of [0, 1, 3]) {
          for (let freed = 0; freed <= limit; freed++) {
            const { holding, started, enqueue, free } = slotsOf(limit)
            const about = `${freed} of ${limit} slots freed, ${waiting} holders waited`
            enqueue(...names(limit, 'a'), ...names(waiting, 'b'))
            free(...names(freed, 'a'))
            if (pause === 'after') await setImmediate()
            enqueue(...names(5, 'c'))
            await setImmediate()
            t.equal(holding().length, limit, about)
            while (holding().length > 0) {
              free(holding()[0] as string)
              await setImmediate()
            }
            t.strictSame(started, [...names(limit, 'a'), ...names(waiting, 'b'), ...names(5, 'c')], about)
            enqueue(...names(limit + 1, 'd'))
            t.strictSame(holding(), names(limit, 'd'), `${about}: all slots can be used at once`)
          }
        }
      }
    },
  )
}
