import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { toRunOptions, withDebugger } from '../../../src/local/command/options.ts'
import { withTemplate } from '../../../src/local/command/template-flags.ts'
import { folder, handlerFile } from '../../support/runs.ts'

const FLAGS = {
  messages: 1,
  reportBatchItemFailures: true,
  freeze: true,
  maxDeadLettered: 0,
  maxFailedInvocations: 0,
  idle: 0,
}
const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: { Type: AWS::SQS::Queue }
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 185
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 15 }
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs24.x
      Handler: plain.handler
      Timeout: 30
      Events:
        Queue:
          Type: SQS
          Properties: { Queue: !GetAtt Queue.Arn, FunctionResponseTypes: [ReportBatchItemFailures] }
`

test('--inspect: a timeout of 900 s and one delivery, also with a template, and other flags override it', async (t) => {
  const template = join(folder(t), 'template.yaml')
  writeFileSync(template, TEMPLATE)
  const handler = handlerFile('plain.mjs')
  const of = async (given: object) => {
    const { flags } = await withTemplate(withDebugger({ ...FLAGS, ...given }), handler)
    const {
      queue,
      function: { timeout },
    } = await toRunOptions(handler, flags)
    const { maxReceives, visibilityTimeout } = queue as { maxReceives?: number; visibilityTimeout?: number }
    return [(timeout ?? 0) / 1000, maxReceives, visibilityTimeout]
  }
  t.strictSame(await of({ template }), [30, 15, 185])
  t.strictSame(await of({ template, inspect: true }), [900, 1, 1201])
  t.strictSame(await of({ inspect: '0' }), [900, 1, 1201])
  t.strictSame(await of({ template, inspect: true, timeout: 60, maxReceives: 3 }), [60, 3, 361])
  t.strictSame(await of({ template, inspect: true, visibilityTimeout: 950 }), [900, 1, 950])
  const queueUrl = 'http://127.0.0.1:1/queue'
  t.strictSame(await of({ queueUrl, inspect: true }), [900, undefined, undefined])
})
