import { note } from './notes.mjs'

/** Notes when it began and ended, and in which process. */
export async function handler() {
  const began = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 150))
  note({ began, ended: Date.now(), pid: process.pid })
}
