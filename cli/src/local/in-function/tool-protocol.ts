// What the tool and the runtime client of this package say to each other, beside the calls of the Runtime API.
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LibraryReport } from './library-watch.ts'
import type { Usage } from './resource-usage.ts'
import type { Unread } from './unread-records.ts'
import type { LeftWork } from './work-origin.ts'

/** The program that the tool starts. In the published package, it is beside the file that has this line. */
export const RUNTIME_CLIENT = fileURLToPath(new URL(`./runtime-client${extname(import.meta.url)}`, import.meta.url))

/** What it is started with. */
export interface ClientOptions {
  file: string
  exportName: string
  /** Whether the handler may have a callback. */
  callbacks: boolean | undefined
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

/** The property in which it sends a list of failures that Lambda does not wait for. */
export const NO_PROMISE = 'a value that is no promise'
