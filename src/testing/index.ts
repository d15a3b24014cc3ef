export { type SqsContextOptions, sqsContext } from './context.ts'
export { type SqsEventOptions, type SqsEventRecord, sqsEvent } from './event.ts'
export { type InvokeOptions, type InvokeResult, invoke, type TestedHandler } from './invoke.ts'
