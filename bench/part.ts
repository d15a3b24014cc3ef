// `node --expose-gc part.ts <part> [short]`: measures one part and sends what came out to the parent process.
import { PARTS, type Part } from './results.ts'

process.on('disconnect', () => process.exit()) // the parent has what it wanted, or is no more
const [part, length] = process.argv.slice(2)
const result = await PARTS[part as Part](length === 'short')
process.send?.(result, () => process.disconnect())
