import { LambdaClient, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda' // Lambda's runtime has it

const client = new LambdaClient()
const UUID = process.env.MAPPING_UUID

/** Pauses the queue: disables its event source mapping. Nothing enables it again. */
export async function handler() {
  const { State } = await client.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }))
  console.log(`The event source mapping ${UUID} is paused, with the state ${State}`)
}
