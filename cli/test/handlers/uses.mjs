const kept = []

/** Keeps MB megabytes of Buffers. */
export async function memory() {
  while (kept.length < Number(process.env.MB)) kept.push(Buffer.alloc(2 ** 20, 1))
}

/** Uses CPU_MS milliseconds of CPU time. */
export async function cpu() {
  globalThis.burn(Number(process.env.CPU_MS))
}
