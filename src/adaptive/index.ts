export type { AdaptiveConcurrency, FailureClass } from '../types.ts'
export { type AdaptiveConcurrencyOptions, adaptiveConcurrency } from './adaptive-concurrency.ts'
