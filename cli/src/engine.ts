/** The public entry of the package: runs a handler from a test or a benchmark. */

export { type Ledger, OpenLedger, type Progress } from './local/account/ledger.ts'
export { renderLedger } from './local/command/display.ts'
export type { FunctionOptions } from './local/environment/environment.ts'
export { type Runtime, type RuntimeOptions, startRuntime } from './local/environment/environment-pool.ts'
export { type EventSourceOptions, runEventSource } from './local/event-source/event-source.ts'
export { MAPPING_DEFAULTS, type RunOptions, run } from './local/event-source/run.ts'
export { type InputMessage, numberedMessages } from './local/queue/messages-file.ts'
export type { OwnQueueOptions } from './local/queue/own-queue.ts'
export type { Queue } from './local/queue/queue.ts'
export { type Received, toEvent, toReceived } from './local/queue/sqs-record.ts'
export { type Display, openDisplay, renderTable } from './shared/display.ts'
export { InitError, UsageError } from './shared/errors.ts'
