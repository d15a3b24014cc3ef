/** A service in a process of its own: `node service.ts CAPACITY MS` sends its address to the parent process. */
import { startDownstream } from '../../support/downstream.ts'

const [capacity, ms] = process.argv.slice(2).map(Number) as [number, number]
const { url } = await startDownstream(capacity, ms)
process.send?.(url)
process.on('disconnect', () => process.exit())
