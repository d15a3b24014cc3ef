import { note } from './notes.mjs'

/** Notes the start, the end and the process of each invocation. */
export async function handler() {
  const began = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 150))
  note({ began, ended: Date.now(), pid: process.pid })
}
