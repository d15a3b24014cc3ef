import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { note, numberOf } from './notes.ts'

/** Notes its process at the start, waits until the test calls `release()`, then notes the processed numbers. */
export async function handler({ Records }) {
  note({ pid: process.pid })
  while (!existsSync(`${process.env.RECORD_TO}.released`)) await sleep(20)
  note({ processed: Records.map(numberOf) })
}

/** Starts a child process, then blocks the event loop forever. */
export async function blocks() {
  const child = spawn('sleep', ['3600'], { stdio: 'inherit' })
  note({ pid: process.pid, child: child.pid })
  for (;;);
}
