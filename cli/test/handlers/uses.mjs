const kept = []

/** Keeps MB megabytes of Buffers. */
export async function memory() {
  while (kept.length < Number(process.env.MB)) kept.push(Buffer.alloc(2 ** 20, 1))
}

/** Uses CPU_MS milliseconds of CPU time. */
export async function cpu() {
  const before = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(before)
    if ((user + system) / 1000 >= Number(process.env.CPU_MS)) return
  }
}
