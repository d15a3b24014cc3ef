/** @param code begins with `BOUNDED_SQS_BATCH_`, and is documented in docs/api.md */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: 'BoundedSqsBatchWarning', code })
}
