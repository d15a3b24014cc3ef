import type { ChangeMessageVisibilityBatchCommand } from '@aws-sdk/client-sqs'

/**
 * Makes the SDK send a command to the queue that an ARN names, at the endpoint that the client has resolved.
 *
 * The ARN alone does not give the right URL. The endpoint also depends on the client: its partition, FIPS and
 * dual-stack settings. It can also be configured, for example for a local SQS.
 *
 * The SDK sends a command to the host of `QueueUrl`, unless the client was created with an `endpoint`. So an SDK
 * middleware sets `QueueUrl` from the resolved endpoint before the SDK reads it.
 *
 * @param arn the `eventSourceARN` of the records. Without a valid one, the command rejects with a TypeError.
 */
export function setQueueUrlFromArn(command: ChangeMessageVisibilityBatchCommand, arn: string | undefined): void {
  command.middlewareStack.addRelativeTo(
    <TArgs extends { input: object }, TOutput>(
      next: (args: TArgs) => TOutput,
      context: { endpointV2?: { url: URL } | undefined },
    ) =>
      (args: TArgs) => {
        const { href } = new URL(pathOf(arn), context.endpointV2?.url)
        return next({ ...args, input: { ...args.input, QueueUrl: href } })
      },
    { relation: 'before', toMiddleware: 'queueUrlMiddleware' },
  )
}

function pathOf(arn: string | undefined): string {
  const [, , service, , account, name] = String(arn).split(':')
  if (service === 'sqs' && account && name) return `/${account}/${name}`
  throw new TypeError('the eventSourceARN of the record is not the ARN of an SQS queue: set sourceQueueUrl')
}
