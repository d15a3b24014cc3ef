/** Lambda gives a function with this memory (MB) one full core. A single thread gains little from more. */
export const MEMORY_OF_ONE_CPU = 1769

/** The share of a core that one thread can use with this memory size (MB). Other threads may have more cores. */
export function cpuShareOf(memory: number): number {
  return Math.min(1, memory / MEMORY_OF_ONE_CPU)
}
