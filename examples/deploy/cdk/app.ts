import { App } from 'aws-cdk-lib'
import { BatchStack } from './stack.ts'

const app = new App()

/** The value of `--context name=value`. */
function context(name: string, standard?: string): string {
  const value: unknown = app.node.tryGetContext(name) ?? standard
  if (typeof value !== 'string') throw new Error(`--context ${name}=… is missing: add it to the cdk command`)
  return value
}

const pauseOnOutage = context('pauseOnOutage', 'false')
if (!/^(true|false)$/.test(pauseOnOutage)) {
  throw new Error(`--context pauseOnOutage=… must be true or false, but it is ${pauseOnOutage}: change it`)
}

new BatchStack(app, 'BatchStack', {
  downstreamUrl: context('downstreamUrl'),
  alarmEmail: context('alarmEmail'),
  pauseOnOutage: pauseOnOutage === 'true',
})
