/** `expect<Equal<A, B>>()` compiles only if A and B are exactly the same type. `any` equals only `any`. */
export declare function expect<_T extends true>(): void

export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
