// What the runtime client of this package says beside the calls of the Runtime API.
import type { FunctionSettings } from './environment.ts'
import type { LibraryReport } from './library.ts'
import type { LeftWork } from './origin.ts'
import type { Unread } from './reads.ts'
import type { Usage } from './usage.ts'

/** What it is started with. */
export interface ClientOptions extends Pick<FunctionSettings, 'file' | 'exportName' | 'callbacks'> {
  /** Whether it looks for work that invocations leave, and for records that are not read. */
  follows: boolean
}

/** What it knows about an invocation. In the body of `invocation/ID/end`, before the response or error. */
export interface InvocationReport {
  /** Missing if no record reached middy-bounded-sqs-batch. */
  library?: LibraryReport | undefined
  /** The records that the handler has not read. Missing if it was not looked at. */
  unread?: Unread | undefined
  /** Missing with another runtime client. */
  usage?: Usage | undefined
}

/** What it says about the process, as the body of `report`. Each has one of these. */
export interface ProcessReport {
  left?: LeftWork[]
  /** The promise of the handler cannot settle any more. */
  neverSettles?: true
}

/** The event that asks for what is still left at the end of a run. */
export const END_OF_RUN = 'end of the run'
