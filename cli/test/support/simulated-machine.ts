import type { Step } from '../../src/tune/figures/climb.ts'
import { isConfident, marginOf, mean, type Precision } from '../../src/tune/figures/confidence.ts'

/** Returns numbers from 0 to 1. The same seed gives the same numbers (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A number from a normal distribution with mean 0 and standard deviation 1. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Collects the goodputs of rounds, and returns the step of the concurrency after each round. */
export function openSteps(precision: Precision) {
  const goodputs = new Map<number, number[]>()
  return (concurrency: number, goodput: number): Step => {
    const all = [...(goodputs.get(concurrency) ?? []), goodput]
    goodputs.set(concurrency, all)
    return {
      concurrency,
      goodput: mean(all),
      margin: marginOf(all),
      isConfident: isConfident(all, precision),
      rounds: all.length,
      failedShare: 0,
      records: 1000 * all.length,
    }
  }
}
