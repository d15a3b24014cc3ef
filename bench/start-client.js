// One entry, once: `node start-client.js <file>` prints the milliseconds of its import where @middy/core is there already.
import '@middy/core'

const start = performance.now()
await import(process.argv[2])
console.log(performance.now() - start)
