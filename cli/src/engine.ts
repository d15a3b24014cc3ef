/** The public entry of the package: runs a handler from a test or a benchmark. */

export { renderLedger } from './local/command/display.ts'
export type { FunctionOptions } from './local/simulator/environment.ts'
export { type EventSourceOptions, runEventSource } from './local/simulator/event-source.ts'
export { type Ledger, OpenLedger, type Progress } from './local/simulator/ledger.ts'
export { type InputMessage, numberedMessages } from './local/simulator/messages.ts'
export type { OwnQueueOptions } from './local/simulator/own-queue.ts'
export type { Queue } from './local/simulator/queue.ts'
export { MAPPING_DEFAULTS, type RunOptions, run } from './local/simulator/run.ts'
export { type Runtime, type RuntimeOptions, startRuntime } from './local/simulator/runtime.ts'
export { type Received, toEvent, toReceived } from './local/simulator/sqs-record.ts'
export { type Display, openDisplay, renderTable } from './shared/display.ts'
export { InitError, UsageError } from './shared/errors.ts'
