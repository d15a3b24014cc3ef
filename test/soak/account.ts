import { readFileSync } from 'node:fs'
import type { Ledger } from 'bounded-sqs-batch/engine'
import { CRASHES, kindOf, type Messages } from './messages.ts'

export interface Check {
  what: string
  holds: boolean
  found: string
}

/** Reads what the function wrote, in the order in which it happened. */
function readJournal(file: string, { groups = 0 }: Messages) {
  const read = {
    /** The invocation that accepted each message last. */
    accepted: new Map<number, string>(),
    /** How often a message was accepted again, and the invocations that had accepted it before. */
    repeated: 0,
    repeatedFrom: new Set<string>(),
    /** How many permanent failures each process had. */
    refused: new Map<string, number>(),
    killed: new Set<string>(),
    unhandled: 0,
    disorder: 0,
  }
  const { accepted, refused } = read
  const lastOfGroup = new Map<number, number>()
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const [what, pid = '', invocation = '', text] = line.split(' ')
    if (what === 'kill') read.killed.add(pid)
    else if (what === 'unhandled') read.unhandled++
    else if (what === 'refuse') refused.set(pid, (refused.get(pid) ?? 0) + 1)
    else {
      const number = Number(text)
      const before = accepted.get(number)
      if (before) {
        read.repeated++
        read.repeatedFrom.add(before)
      }
      accepted.set(number, `${pid} ${invocation}`)
      if (number < (lastOfGroup.get(number % groups) ?? 0)) read.disorder++
      if (groups > 0) lastOfGroup.set(number % groups, number)
    }
  }
  return read
}

interface Outcome {
  stage: Messages & { name: string }
  /** The engine's own ledger. */
  ledger: Ledger
  /** The file that the function wrote. */
  journal: string
  /** The numbers of the messages in the dead-letter queue, and of those that deadLetter() sent. */
  dead: readonly number[]
  permanent: readonly number[]
}

function checkOf({ name }: { name: string }, what: string, holds: boolean, found: unknown): Check {
  return { what: `${name}: ${what}`, holds, found: `${found}` }
}

/**
 * Checks that each message of a stage is in its expected place. A message may be accepted twice only because of a kill.
 */
export function account({ stage, ledger, journal, dead, permanent }: Outcome) {
  const { accepted, repeated, repeatedFrom, refused, killed, unhandled, disorder } = readJournal(journal, stage)
  const places = { downstream: accepted, dead: new Set(dead), permanent: new Set(permanent) }
  const lost: number[] = []
  const misplaced: string[] = []
  for (let number = 1; number <= stage.messages; number++) {
    const kind = kindOf(stage, number)
    const expected = kind === 'poison' ? 'dead' : kind === 'permanent' ? 'permanent' : 'downstream'
    const found = Object.entries(places).flatMap(([place, numbers]) => (numbers.has(number) ? place : []))
    if (found.length === 0) lost.push(number)
    else if (found.join() !== expected) misplaced.push(`${number} (${kind}): ${found}`)
  }
  const inKilled = [...repeatedFrom].filter((invocation) => killed.has(`${invocation.split(' ')[0]}`)).length
  const copies = permanent.length - places.permanent.size
  const maxCopies = [...killed].reduce((sum, pid) => sum + (refused.get(pid) ?? 0), 0)
  const { sent, processed, deadLettered, remaining, timeouts, crashes, failedInvocations, reasons } = ledger
  const engine = [sent, processed, deadLettered, remaining, ledger.lost].join()
  const counted = [stage.messages, accepted.size + places.permanent.size, dead.length, 0, 0].join()
  const isOnlyKilled = Object.keys(reasons).every((reason) => reason === 'the process was ended by SIGKILL')

  const check = checkOf.bind(undefined, stage)
  const checks = [
    check('no message is lost', lost.length === 0, `${lost.length} lost ${lost.slice(0, 5)}`.trim()),
    check(
      'each message is in its place: downstream, dead-letter queue, or the queue of permanent failures',
      misplaced.length === 0,
      `${misplaced.length} elsewhere ${misplaced.slice(0, 5).join('; ')}`.trim(),
    ),
    check(
      'no message is dead-lettered twice',
      dead.length === places.dead.size && copies <= maxCopies,
      `${dead.length - places.dead.size} by the queue; ${copies} by the function, at most ${maxCopies} because of kills`,
    ),
    check(
      'a message is accepted twice only because of a kill',
      inKilled === repeatedFrom.size && inKilled <= crashes,
      `${repeated} of ${repeatedFrom.size} invocations, ${inKilled} in killed processes; ${crashes} invocations were killed`,
    ),
    check('processes are killed as planned', killed.size === stage.kills, `${killed.size} of ${stage.kills}`),
    check(
      'nothing else fails an invocation or ends a process',
      isOnlyKilled && timeouts === 0 && failedInvocations === crashes,
      `${timeouts} timeouts, ${failedInvocations} failed, ${JSON.stringify(reasons)}`,
    ),
    check('no rejection is unhandled', unhandled === 0, unhandled),
    check('each FIFO group keeps its order', disorder === 0, `${disorder} out of order`),
    check("the engine's ledger agrees", engine === counted, `${engine}, counted ${counted}`),
  ]
  return { accepted: accepted.size, repeated, killed: killed.size, lost: lost.length, checks }
}

/** The share of the good messages that crashes may dead-letter with isolateCrashes(). */
const MAX_DEAD_SHARE = 0.01

/**
 * Checks a stage in which messages crash the process at every delivery. These messages must be dead-lettered. With
 * isolateCrashes(), nearly all others must not. Without it, how many are depends on how full the batches are.
 */
export function accountCrashes(
  { stage, ledger, journal, dead, permanent }: Outcome,
  { isIsolated }: { isIsolated: boolean },
): { goodDead: string; checks: Check[] } {
  const { accepted, killed, unhandled } = readJournal(journal, stage)
  const deadNumbers = new Set(dead)
  const numbers = Array.from({ length: stage.messages }, (_, index) => index + 1)
  const isCrash = (number: number) => kindOf(stage, number) !== 'plain'
  const lost = numbers.filter((number) => !accepted.has(number) && !deadNumbers.has(number))
  const misplaced = numbers.filter((number) => isCrash(number) && (accepted.has(number) || !deadNumbers.has(number)))
  const goodDead = dead.filter((number) => !isCrash(number))
  const neverAccepted = goodDead.filter((number) => !accepted.has(number))
  const good = stage.messages - CRASHES.length
  const { sent, processed, deadLettered, remaining, timeouts, crashes, failedInvocations } = ledger
  const engine = [sent, processed, deadLettered, remaining, ledger.lost].join()
  const counted = [stage.messages, stage.messages - dead.length, dead.length, 0, 0].join()
  const check = checkOf.bind(undefined, stage)
  const checks = [
    check('no message is lost', lost.length === 0, `${lost.length} lost ${lost.slice(0, 5)}`.trim()),
    check('the messages that crash are dead-lettered', misplaced.length === 0, `${misplaced.length} elsewhere`),
    check(
      'no message is dead-lettered twice',
      dead.length === deadNumbers.size && permanent.length === 0,
      `${dead.length - deadNumbers.size} by the queue; ${permanent.length} by the function`,
    ),
    check(
      'only these messages end a process',
      killed.size > 0 && failedInvocations === killed.size && timeouts + crashes === killed.size,
      `${killed.size} ends; ${crashes} crashes, ${timeouts} timeouts, ${failedInvocations} failed`,
    ),
    check('no rejection is unhandled', unhandled === 0, unhandled),
    check("the engine's ledger agrees", engine === counted, `${engine}, counted ${counted}`),
  ]
  const found = `${goodDead.length} of ${good}, of these never processed: ${neverAccepted.length}`
  const share = `at most ${100 * MAX_DEAD_SHARE} % of the good messages are dead-lettered`
  if (isIsolated) checks.push(check(share, goodDead.length <= MAX_DEAD_SHARE * good, found))
  return { goodDead: found, checks }
}
