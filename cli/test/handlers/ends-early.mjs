import { existsSync, writeFileSync } from 'node:fs'

// The first process of a run ends once the test knows that it waits for an event. Later processes stay alive.
const mark = `${process.env.MARK}`
if (!existsSync(mark)) {
  writeFileSync(mark, '')
  setInterval(() => existsSync(`${mark}.ready`) && process.exit(0), 20)
}

export async function handler() {}
