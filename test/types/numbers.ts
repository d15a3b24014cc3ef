// This file is never run. `npm run typecheck` compiles it.
import type { Failure, RecordJobs, RecordPosition } from '../../src/handlers/jobs.ts'
import type { JobFailure, JobNumber } from '../../src/scheduler/job.ts'
import type { ReadyQueue } from '../../src/scheduler/ready-queue.ts'
import { type Equal, expect } from './expect.ts'

declare const job: JobNumber
declare const position: RecordPosition
declare const jobs: RecordJobs
declare const ready: ReadyQueue
declare const jobFailures: JobFailure[]
const reason = new Error('refused')

// Both are numbers, so they can be an index.
export const texts: unknown[] = [['a'][job], ['a'][position], job + 1 < position]
expect<Equal<ReturnType<typeof jobs.sizeOf>, number>>()
expect<Equal<ReturnType<typeof jobs.recordsIn>, readonly RecordPosition[]>>()
jobs.sizeOf(job)
jobs.recordsIn(job)
ready.advanceGroup(job)
export const failures: [JobFailure, Failure] = [
  { job, reason },
  { index: position, reason },
]

// @ts-expect-error the position of a record is not the number of a job
export const wrongJob: JobNumber = position
// @ts-expect-error the number of a job is not the position of a record
export const wrongPosition: RecordPosition = job
// @ts-expect-error not any number is the number of a job
export const anyJob: JobNumber = 0
// @ts-expect-error not any number is the position of a record
export const anyPosition: RecordPosition = 0
// @ts-expect-error a failed job has the number of the job
export const wrongJobFailure: JobFailure = { job: position, reason }
// @ts-expect-error a failure has the position of the record
export const wrongFailure: Failure = { index: job, reason }
// @ts-expect-error jobs have sizes, records do not
jobs.sizeOf(position)
// @ts-expect-error records are in jobs, not in records
jobs.recordsIn(position)
// @ts-expect-error jobs have ended
ready.advanceGroup(position)
// @ts-expect-error the failures of jobs are not the failures of records
export const wrongFailures: Failure[] = jobFailures
// @ts-expect-error failedRecords() takes the failures of jobs
jobs.failedRecords([{ index: position, reason }])
