import type { ChangeMessageVisibilityBatchCommand } from '@aws-sdk/client-sqs'

/**
 * Lets a command go to the queue of an ARN, at the endpoint that the client comes to: of its region and partition, with
 * FIPS or dual-stack, or of a stand-in of SQS that its configuration or the environment names. The SDK takes the host of a
 * queue's URL for the endpoint unless one is given in code, so a URL made of the ARN alone would miss the others.
 */
export function addressByArn(command: ChangeMessageVisibilityBatchCommand, arn: string | undefined): void {
  command.middlewareStack.addRelativeTo(
    <TArgs extends { input: object }, TAnswer>(
      next: (args: TArgs) => TAnswer,
      context: { endpointV2?: { url: URL } | undefined },
    ) =>
      (args: TArgs) => {
        const { href } = new URL(pathOf(arn), context.endpointV2?.url)
        return next({ ...args, input: { ...args.input, QueueUrl: href } })
      },
    { name: 'queueUrlOfArn', relation: 'before', toMiddleware: 'queueUrlMiddleware' },
  )
}

function pathOf(arn: string | undefined): string {
  const [, , service, , account, name] = arn?.split(':') ?? []
  if (service === 'sqs' && account && name) return `/${account}/${name}`
  throw new TypeError('the record has no eventSourceARN of a queue: set sourceQueueUrl')
}
