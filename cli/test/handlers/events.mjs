import { note } from './notes.ts'

/** Notes the event, the context and the environment variables. */
export async function handler(event, context) {
  const before = context.getRemainingTimeInMillis()
  await new Promise((resolve) => setTimeout(resolve, 60))
  const {
    awsRequestId,
    functionName,
    functionVersion,
    invokedFunctionArn,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
  } = context
  const names = Object.keys(process.env).filter((name) => /^(AWS_LAMBDA_|LAMBDA_|_HANDLER|AWS_REGION|TZ)/.test(name))
  note({
    event,
    context: {
      awsRequestId,
      functionName,
      functionVersion,
      invokedFunctionArn,
      memoryLimitInMB,
      logGroupName,
      logStreamName,
    },
    times: [before, context.getRemainingTimeInMillis()],
    env: Object.fromEntries(names.map((name) => [name, process.env[name]])),
    sqs: process.env.AWS_ENDPOINT_URL_SQS,
    thisIsUndefined: this === undefined,
  })
}
