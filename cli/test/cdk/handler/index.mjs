/** Reports the messages that failed. */
export async function handler({ Records }) {
  const failed = Records.filter(({ body }) => body === 'wrong')
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}
