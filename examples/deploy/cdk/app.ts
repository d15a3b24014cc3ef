import { App } from 'aws-cdk-lib'
import { BatchStack } from './stack.ts'

const app = new App()

/** What is given with `--context name=value`. */
function context(name: string): string {
  const value: unknown = app.node.tryGetContext(name)
  if (typeof value !== 'string') throw new Error(`Say --context ${name}=…`)
  return value
}

new BatchStack(app, 'BatchStack', { downstreamUrl: context('downstreamUrl'), alarmEmail: context('alarmEmail') })
