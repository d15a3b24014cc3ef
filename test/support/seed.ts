import t from 'tap'

/** The seed of the random tests. Each of them prints it, and `FUZZ_SEED=…` before a command repeats its run. */
export const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`FUZZ_SEED=${seed}`)
