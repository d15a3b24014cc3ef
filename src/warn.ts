/** Emits a warning of this package. Its code begins with `BOUNDED_SQS_BATCH_`. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: 'BoundedSqsBatchWarning', code: `BOUNDED_SQS_BATCH_${code}` })
}
