import { appendFileSync } from 'node:fs'
import { bounded, numberOf, post } from './post.mjs'

const hung = new Set()

/** Every 50th message hangs the first time and ignores its signal. */
export const hangs = bounded(async (record, _context, { signal }) => {
  const number = numberOf(record)
  if (number % 50 === 0 && !hung.has(number)) {
    hung.add(number)
    await new Promise(() => {})
  }
  await post(record, { signal })
})

/** Blocks the event loop. Its downstream is a file. */
export const computes = bounded((record) => {
  const end = performance.now() + 5
  while (performance.now() < end);
  appendFileSync(process.env.JOURNAL, `${numberOf(record)}\n`)
})
