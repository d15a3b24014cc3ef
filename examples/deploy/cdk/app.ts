import { App } from 'aws-cdk-lib'
import { BatchStack } from './stack.ts'

const app = new App()

/** The value of `--context name=value`. */
function context(name: string): string {
  const value: unknown = app.node.tryGetContext(name)
  if (typeof value !== 'string') throw new Error(`--context ${name}=… is missing: add it to the cdk command`)
  return value
}

new BatchStack(app, 'BatchStack', { downstreamUrl: context('downstreamUrl'), alarmEmail: context('alarmEmail') })
