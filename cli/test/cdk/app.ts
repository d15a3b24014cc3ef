/** The app of cdk-synth.test.ts. The variable CASE says which one. */
import { App, type CfnResource, Stack, Stage, Validations } from 'aws-cdk-lib'
import { SqsBatchDoctor } from '../../src/cdk.ts'
import { addOrders, DEFECTS } from './orders.ts'

const RULES = ['report-batch-item-failures', 'visibility-below-timeout', 'max-receive-count']
const accept = Object.fromEntries(RULES.map((rule) => [rule, 'agreed']))

const cases: Record<string, (stack: Stack) => SqsBatchDoctor> = {
  'with defects'(stack) {
    addOrders(stack, DEFECTS)
    return new SqsBatchDoctor()
  },
  'without defects'(stack) {
    addOrders(stack)
    return new SqsBatchDoctor()
  },
  'accepted in metadata'(stack) {
    const { queue } = addOrders(stack, DEFECTS)
    const resource = queue.node.defaultChild as CfnResource
    resource.addMetadata('bounded-sqs-batch', { accept })
    return new SqsBatchDoctor()
  },
  'with defects in a stage'(stack) {
    addOrders(new Stack(new Stage(stack.node.root, 'Prod'), 'Shop'), DEFECTS)
    return new SqsBatchDoctor()
  },
  'with a warning'(stack) {
    addOrders(stack, { maxReceiveCount: 1 })
    return new SqsBatchDoctor()
  },
}

const app = new App()
const plugin = cases[process.env.CASE ?? '']?.(new Stack(app, 'Shop'))
if (plugin) Validations.of(app).addPlugins(plugin)
app.synth()
