/**
 * A downstream that never responds, and SQS. `run.ts` starts this as its own process, because Lambda's quota does not
 * apply to the services that a function calls.
 */
import { createServer } from 'node:http'
import { startFauxqs } from 'fauxqs'
import { listen } from '../support/services.ts'

const downstream = await listen(createServer(() => {}))
const { address: sqs } = await startFauxqs({ port: 0, logger: false, defaultRegion: 'eu-west-1' })
process.once('disconnect', () => process.exit())
process.send?.({ downstream, sqs })
