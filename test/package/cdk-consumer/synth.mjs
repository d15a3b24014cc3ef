import { SqsBatchDoctor } from 'bounded-sqs-batch/cdk'
import checkPlugin from './app.cjs'

checkPlugin(SqsBatchDoctor)
