import t from 'tap'

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`FUZZ_SEED=${seed}`)

/**
 * The parameters of all random tests. Each test prints its seed, and `FUZZ_SEED=…` before a command repeats its run.
 * With TAP_BAIL, a case that fails is not made smaller, which takes long.
 */
export const seeded = { seed, endOnFailure: process.env.TAP_BAIL === '1' }
