// The function of local/runs/chaos.ts. The body of a message names the fault that its first delivery causes. The journal is a
// file in which the function notes what it does.
import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

const { JOURNAL, TIMEOUT_MS } = process.env
const { pid } = process
const timeout = Number(TIMEOUT_MS)
const journal = openSync(JOURNAL, 'a') // each write is appended as a whole, and SIGKILL does not undo it

function note(...words) {
  writeSync(journal, `${words.join(' ')}\n`)
}

/** Signals that this process sends to itself can take effect a little later. Until then, nothing else must happen. */
function signalNow(signal) {
  process.kill(pid, signal)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
}

/** Sends a signal later, also if this process is stopped then. No child process may be left when the function responds. */
function signalLater(signal, ms) {
  spawnSync('/bin/sh', ['-c', `(sleep ${ms / 1000}; kill -${signal} ${pid}) &`], { detached: true, stdio: 'ignore' })
}

const clocks = { date: Date.now, monotonic: performance.now.bind(performance) }
const moved = { date: 0, monotonic: 0 }
Date.now = () => clocks.date() + moved.date
performance.now = () => clocks.monotonic() + moved.monotonic

/** The batch after a clock has been moved takes longer than the timeout, unless the library ends it. */
let isClockNew = false
let isSlow = false

function moveClock(change) {
  note('clock', pid)
  Object.assign(moved, change)
  isClockNew = true
}

const HOUR = 3_600_000

const faults = {
  fails() {
    throw new Error('the first delivery fails')
  },
  poison() {
    throw new Error('every delivery fails')
  },
  slow: (signal) => sleep(timeout / 2, undefined, { signal }),
  kill() {
    note('fatal', pid)
    signalNow('SIGKILL')
  },
  killLater(_signal, ms) {
    note('later', pid)
    signalLater('KILL', ms)
  },
  /** Fails four times. After that, when other messages are finished, the process dies before the next delivery. */
  killIdle(_signal, _ms, receiveCount) {
    if (receiveCount === 4) {
      note('later', pid)
      signalLater('KILL', 300)
    }
    if (receiveCount <= 4) throw new Error('the first four deliveries fail')
  },
  stop() {
    note('fatal', pid)
    signalNow('SIGSTOP')
  },
  stopLater(_signal, ms) {
    note('later', pid)
    signalLater('STOP', ms)
  },
  pause() {
    signalLater('CONT', timeout / 10)
    signalNow('SIGSTOP')
  },
  pauseTooLong() {
    note('fatal', pid)
    signalLater('CONT', 2 * timeout)
    signalNow('SIGSTOP')
  },
  blocks() {
    note('fatal', pid)
    const end = clocks.monotonic() + 2 * timeout
    while (clocks.monotonic() < end);
  },
  dateForward: () => moveClock({ date: HOUR }),
  dateBack: () => moveClock({ date: -HOUR }),
  clockForward: () => moveClock({ monotonic: HOUR }),
  clockBack: () => moveClock({ monotonic: -HOUR }),
  /** The clock of the machine is moved once there is this file: move-clock.mjs. */
  async moveMachineClock() {
    writeFileSync(`${JOURNAL}.moved`, '')
    await sleep(timeout / 4)
  },
}

note('load', pid)
const loads = readFileSync(JOURNAL, 'utf8').match(/^load /gm).length

/** What happens while an environment loads. Without the first one, there is no run, so it has no fault by default. */
const loading = {
  some() {
    if (loads % 7 === 3) dieWhileLoading()
    if (loads % 7 === 5) faults.pause()
    if (loads === 8) faults.stop() // until the 10 s for loading are over
  },
  onlyFirstLoads: () => loads > 1 && dieWhileLoading(),
  stops: faults.stop,
  none() {},
}

function dieWhileLoading() {
  note('later', pid)
  signalNow('SIGKILL')
}

loading[process.env.LOADING ?? 'some']()

let startedAt = 0

const observe = {
  before({ event, context }) {
    note('batch', context.awsRequestId, ...event.Records.map(({ messageId }) => messageId))
    startedAt = clocks.monotonic()
    isSlow = isClockNew
    isClockNew = false
  },
  after({ context }) {
    note('responded', context.awsRequestId, Math.floor(clocks.monotonic() - startedAt))
  },
  onError() {
    note('threw', Math.floor(clocks.monotonic() - startedAt))
  },
}

export const handler = middy()
  .use(observe)
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async ({ body, messageId }, _context, { signal, receiveCount }) => {
      const { number, fault, ms } = JSON.parse(body)
      if (isSlow) await sleep(2 * timeout, undefined, { signal })
      const isFaulty = receiveCount === 1 || fault === 'poison' || fault === 'killIdle'
      if (fault && isFaulty) await faults[fault](signal, ms, receiveCount)
      signal.throwIfAborted() // an aborted record is already reported as failed
      note('done', messageId, number)
    }),
  )
