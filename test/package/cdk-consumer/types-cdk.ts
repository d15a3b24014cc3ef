// What an app of the CDK in TypeScript writes.
import { App, Stage, Validations } from 'aws-cdk-lib'
import { SqsBatchDoctor, type SqsBatchDoctorOptions } from 'bounded-sqs-batch/cdk'

const options: SqsBatchDoctorOptions = {
  accept: [{ rule: 'max-receive-count', resource: 'Shop/Queue', reason: 'agreed' }],
}
const app = new App()
Validations.of(app).addPlugins(new SqsBatchDoctor(options))
Validations.of(new Stage(app, 'Prod')).addPlugins(new SqsBatchDoctor())

// @ts-expect-error an acceptance needs a reason
new SqsBatchDoctor({ accept: [{ rule: 'max-receive-count', resource: 'Shop/Queue' }] })
