import { readFileSync } from 'node:fs'
import type { Ledger } from 'bounded-sqs-batch/engine'
import { kindOf, type Messages } from './messages.ts'

export interface Check {
  what: string
  holds: boolean
  found: string
}

export type Journal = ReturnType<typeof readJournal>

/** Reads what the function wrote, in the order in which it happened. */
export function readJournal(file: string, { groups = 0 }: Messages) {
  const accepted = new Map<number, string>()
  const lastOfGroup = new Map<number, number>()
  const read = {
    /** The invocation that accepted each message last. */
    accepted,
    /** How often a message was accepted again, and the invocations that had accepted it before. */
    repeated: 0,
    repeatedFrom: new Set<string>(),
    /** Permanent failures of processes that were killed later. deadLetter() may have sent these twice. */
    maybeSentTwice: new Set<string>(),
    killed: new Set<string>(),
    unhandled: 0,
    disorder: 0,
  }
  const refused = new Map<string, string[]>()
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const [what, pid = '', invocation = '', text = ''] = line.split(' ')
    if (what === 'kill') read.killed.add(pid)
    else if (what === 'unhandled') read.unhandled++
    else if (what === 'refuse') refused.set(pid, [...(refused.get(pid) ?? []), text])
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
  for (const pid of read.killed) for (const number of refused.get(pid) ?? []) read.maybeSentTwice.add(number)
  return read
}

interface Account {
  stage: Messages & { name: string }
  ledger: Ledger
  journal: Journal
  dead: readonly number[]
  permanent: readonly number[]
}

const PLACES: Record<string, string> = { poison: 'dead-letter queue', permanent: 'queue of permanent failures' }

/** Checks that each message is in its place, and that only kills explain what happened twice. */
export function checkStage({ stage, ledger, journal, dead, permanent }: Account): Check[] {
  const { accepted, killed, repeated, repeatedFrom, maybeSentTwice } = journal
  const inDead = new Set(dead)
  const inPermanent = new Set(permanent)
  const lost: number[] = []
  const misplaced: string[] = []
  for (let number = 1; number <= stage.messages; number++) {
    const places = [
      accepted.has(number) ? ['downstream'] : [],
      inDead.has(number) ? ['dead-letter queue'] : [],
      inPermanent.has(number) ? ['queue of permanent failures'] : [],
    ].flat()
    const kind = kindOf(stage, number)
    if (places.length === 0) lost.push(number)
    else if (places.join() !== (PLACES[kind] ?? 'downstream')) misplaced.push(`${number} (${kind}): ${places.join()}`)
  }
  const fromKilled = [...repeatedFrom].filter((invocation) => killed.has(`${invocation.split(' ')[0]}`)).length
  const copies = permanent.length - inPermanent.size
  const otherReasons = Object.keys(ledger.reasons).filter((reason) => reason !== 'the process was ended by SIGKILL')
  const check = (what: string, holds: boolean, found: unknown) => ({
    what: `${stage.name}: ${what}`,
    holds,
    found: String(found).slice(0, 300),
  })
  const { sent, processed, deadLettered, remaining, timeouts, diedBetween, crashes, failedInvocations } = ledger
  const told = [sent, processed, deadLettered, remaining, ledger.lost].join()
  const counted = [stage.messages, accepted.size + inPermanent.size, dead.length, 0, 0].join()
  return [
    check('no message is lost', lost.length === 0, `${lost.length} lost ${lost.slice(0, 10).join()}`),
    check(
      'poison is in the dead-letter queue, permanent failures where deadLetter() sends them, the rest is accepted',
      misplaced.length === 0,
      `${misplaced.length} elsewhere ${misplaced.slice(0, 5).join('; ')}`,
    ),
    check('no message is in the dead-letter queue twice', dead.length === inDead.size, `${dead.length - inDead.size}`),
    check(
      'deadLetter() sends a message twice only because of a kill',
      copies <= maybeSentTwice.size,
      `${copies} copies, ${maybeSentTwice.size} explained`,
    ),
    check(
      'a message is accepted twice only because of a kill',
      fromKilled === repeatedFrom.size && fromKilled <= crashes,
      `${repeated} of ${repeatedFrom.size} invocations, of which ${fromKilled} in processes that were killed; ${crashes} invocations ended that way`,
    ),
    check('processes are killed as planned', killed.size === stage.kills, `${killed.size} of ${stage.kills}`),
    check(
      'nothing else fails an invocation or ends a process',
      otherReasons.length + timeouts + diedBetween === 0 && failedInvocations === crashes,
      `${timeouts} timeouts, ${failedInvocations - crashes} errors, ${diedBetween} died between invocations ${otherReasons.join('; ')}`,
    ),
    check('no rejection is unhandled', journal.unhandled === 0, journal.unhandled),
    check('each FIFO group keeps its order', journal.disorder === 0, `${journal.disorder} out of order`),
    check("the engine's ledger agrees", told === counted, `${told}; counted ${counted}`),
  ]
}
