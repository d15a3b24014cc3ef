import { bounded, numberOf, post } from './post.mjs'

/** Message 500 ends the process the first time that it is received. */
function dying(die) {
  return bounded(async (record, _context, { signal, receiveCount }) => {
    if (numberOf(record) === 500 && receiveCount === 1) die()
    await post(record, { signal })
  })
}

export const killed = dying(() => process.kill(process.pid, 'SIGKILL'))
export const exits = dying(() => process.exit(0))
export const outOfMemory = dying(() => {
  const kept = []
  for (;;) kept.push(new Array(100_000).fill(kept.length))
})
