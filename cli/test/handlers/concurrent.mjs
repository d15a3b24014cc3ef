import { appendFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { note } from './notes.ts'

const { RECORD_TO, AT_ONCE = 1 } = process.env
const started = `${RECORD_TO}.started`
const { pid } = process

/** Notes the start, the end and the process of each invocation. The first AT_ONCE invocations wait for each other. */
export async function handler() {
  note({ pid, running: 1 })
  appendFileSync(started, '.')
  while (statSync(started).size < AT_ONCE) await sleep(20)
  note({ pid, running: -1 })
}
