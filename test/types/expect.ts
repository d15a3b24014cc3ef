/** `expect<Equal<A, B>>()` compiles only where A and B are the same type, to the letter: `any` equals nothing else. */
export declare function expect<_T extends true>(): void

export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
