import { safely } from './safely.ts'

/**
 * Does not throw, even if somebody has replaced `process.emitWarning`.
 * @param code begins with `BOUNDED_SQS_BATCH_`, and is documented in docs/troubleshooting.md
 */
export function warn(code: string, message: string): void {
  safely(() => process.emitWarning(message, { type: 'BoundedSqsBatchWarning', code }))
}
