import { subscribe } from 'node:diagnostics_channel'
import { openSync, writeFileSync } from 'node:fs'
import { failures, note, numberOf } from './notes.ts'

function first(record) {
  return record.attributes.ApproximateReceiveCount === '1'
}

/** The test finds the file once the fault has begun. */
function onFirst(fault) {
  return async ({ Records }) => {
    if (first(Records[0])) {
      writeFileSync(`${process.env.RECORD_TO}.begun`, '')
      await fault(Records)
    }
    for (const record of Records) note(numberOf(record))
    return failures([])
  }
}

export const sleeps = onFirst(() => new Promise((resolve) => setTimeout(resolve, 60_000)))
export const blocks = onFirst(() => {
  for (;;);
})
export const exits = onFirst(() => process.exit(0))
export const exitsThree = onFirst(() => process.exit(3))
export const kills = onFirst(() => process.kill(process.pid, 'SIGKILL'))
export const neverSettles = onFirst(() => new Promise(() => {}))
export const rejectsAside = onFirst(() => {
  Promise.reject(new Error('nobody waits for me'))
  return new Promise((resolve) => setTimeout(resolve, 60_000))
})
export const eatsMemory = onFirst(() => {
  const kept = []
  for (;;) kept.push(new Array(100_000).fill(kept.length))
})
export const throwsNull = onFirst(() => {
  throw null
})

/** Opens files and never closes them. A record fails once no descriptor is left. */
export async function leaks({ Records }) {
  return failures(
    Records.filter((record) => {
      try {
        for (let i = 0; i < 20; i++) openSync('/dev/null')
        note(numberOf(record))
        return false
      } catch (error) {
        if (error.code !== 'EMFILE') throw error
        return true
      }
    }),
  )
}

/** A promise that nobody awaits rejects as soon as the Runtime API has accepted the response. */
export async function rejectsLater() {
  subscribe('http.client.response.finish', ({ request }) => {
    if (request.path.endsWith('/end')) Promise.reject(new Error('nobody waits for me'))
  })
  return failures([])
}

/** Message 1: blocks the event loop as soon as the Runtime API has accepted the response. */
export async function blocksLater({ Records }) {
  for (const record of Records) note(numberOf(record))
  if (numberOf(Records[0]) === 1) {
    subscribe('http.client.response.finish', ({ request }) => {
      while (request.path.endsWith('/end'));
    })
  }
  return failures([])
}
