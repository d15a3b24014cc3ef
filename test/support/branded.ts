import type { RecordPosition } from '../../src/handlers/jobs.ts'
import type { JobNumber } from '../../src/scheduler/job.ts'

// These types are numbers that a test cannot mix up by mistake: job(0) is not record(0).

export const job = (number: number) => number as JobNumber
export const jobs = (...numbers: number[]) => numbers as JobNumber[]
export const record = (position: number) => position as RecordPosition
/** The positions of the first records of a batch. */
export const records = (count: number) => Array.from({ length: count }, (_, position) => position as RecordPosition)
