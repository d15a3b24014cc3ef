/** The public entry of the package: runs a handler from a test or a benchmark. */

export { type Display, openDisplay, renderLedger, renderTable } from './local/display.ts'
export { type EventSourceOptions, runEventSource } from './local/event-source.ts'
export { type Ledger, type OpenLedger, openLedger, type Progress } from './local/ledger.ts'
export { type InputMessage, numberedMessages } from './local/messages.ts'
export type { OwnQueueOptions } from './local/own-queue.ts'
export type { Queue, QueueAddress } from './local/queue.ts'
export { MAPPING_DEFAULTS, type RunOptions, run } from './local/run.ts'
export type { FunctionOptions } from './local/runtime/environment.ts'
export { type Runtime, type RuntimeOptions, startRuntime } from './local/runtime/runtime.ts'
export { type Received, toEvent, toReceived } from './local/sqs-record.ts'
export { InitError, UsageError } from './shared/errors.ts'
export { createCpuQuota, type Quota as CpuQuota } from './tune/cpu-quota.ts'
