// What an app of the CDK in TypeScript writes.
import { App, Stage, Validations } from 'aws-cdk-lib'
import { SqsBatchDoctor } from 'bounded-sqs-batch/cdk'

const app = new App()
Validations.of(app).addPlugins(new SqsBatchDoctor())
Validations.of(new Stage(app, 'Prod')).addPlugins(new SqsBatchDoctor())
