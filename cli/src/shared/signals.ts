/** The signals that end a run. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
