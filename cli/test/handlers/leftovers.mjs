import { scheduler, setTimeout as sleep } from 'node:timers/promises'
import { note, numberOf } from './notes.ts'

/** Responds, and processes the records in a timer. */
export async function inTimer({ Records }) {
  setTimeout(() => note(Records.map(numberOf)), process.env.TIMER_MS ?? 1000)
}

/** The same with a promise that nobody awaits. */
export async function afterSleep({ Records }) {
  sleep(1000).then(() => note(Records.map(numberOf)))
}

/** The same with the other function that sleeps. */
export async function afterWait({ Records }) {
  scheduler.wait(1000).then(() => note(Records.map(numberOf)))
}

/** Responds while a request is in flight. The path is not shown, because it can contain data of the message. */
export async function fetches() {
  fetch(`${process.env.SERVICE}/secret`).catch(() => {})
}

/** Nothing of this is work that is left: the timer is not referenced or was cleared, and the client keeps its socket. */
export async function leavesNothing({ Records }) {
  globalThis.client ??= setInterval(() => {}, 60_000)
  setTimeout(() => {}, 60_000).unref()
  clearTimeout(setTimeout(() => {}, 60_000))
  await sleep(10)
  await (await fetch(process.env.SERVICE)).text()
  note(Records.map(numberOf))
}

/** Starts a child process, notes both processes, and leaves a timer. */
export async function withChild() {
  const { spawn } = await import('node:child_process')
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  note({ pid: process.pid, child: child.pid })
}

/** An interval and an unreferenced timer send metrics. Their requests are in flight at the response. */
export async function flushesMetrics() {
  const flush = () => void fetch(`${process.env.SERVICE}/secret`).catch(() => {})
  globalThis.flushing ??= setInterval(flush, 1)
  setTimeout(flush, 1).unref()
  await sleep(20)
}

/** Leaves a timer for each record. */
export async function forEachRecord({ Records }) {
  for (const _ of Records) setTimeout(() => {}, 1000)
}

/** Responds, and starts a request a little later, like an SDK client that reads its settings first. */
export async function fetchesLater() {
  setImmediate(() => fetches())
}
