import { spawn } from 'node:child_process'
import { note, numberOf } from './notes.mjs'

/** Notes its process at the start, waits a second, then notes the processed numbers. */
export async function handler({ Records }) {
  note({ pid: process.pid })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  note({ processed: Records.map(numberOf) })
}

/** Starts a child process, then blocks the event loop forever. */
export async function blocks() {
  const child = spawn('sleep', ['60'], { stdio: 'inherit' })
  note({ pid: process.pid, child: child.pid })
  for (;;);
}
