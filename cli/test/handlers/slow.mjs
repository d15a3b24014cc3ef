import { spawn } from 'node:child_process'
import { note, numberOf } from './notes.mjs'

/** Notes its process and that it began, takes a moment, notes what it processed. */
export async function handler({ Records }) {
  note({ pid: process.pid })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  note({ processed: Records.map(numberOf) })
}

/** Never ends, with a process of its own started on the side, and never lets its event loop turn. */
export async function blocks() {
  const child = spawn('sleep', ['60'], { stdio: 'inherit' })
  note({ pid: process.pid, child: child.pid })
  for (;;);
}
