import type { ChangeMessageVisibilityBatchCommand } from '@aws-sdk/client-sqs'

/** What an ARN or a URL says about a queue. A value that it does not contain is empty or `undefined`. */
interface Queue {
  readonly region: string | undefined
  readonly account: string | undefined
  readonly name: string | undefined
}

/** Only these hosts of AWS and LocalStack show the region of a queue. Behind another host can be any region. */
const REGION_IN_HOST =
  /(?:^|\bsqs(?:-fips)?\.)([a-z]+-[a-z-]+-\d)\.(?:queue\.|vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn|localhost\.localstack\.cloud)$/
/** LocalStack can put the region into the path: `/queue/us-east-1/000000000000/orders`. */
const REGION_IN_PATH = /^\/queue\/([a-z]+-[a-z-]+-\d)\//

/** Reads the URL of a queue. Some simulators have URLs without an account, such as `/queue/orders` of ElasticMQ. */
export function queueOfUrl(url: string): Queue {
  const { hostname, pathname } = new URL(url)
  const path = pathname.split('/').filter(Boolean)
  const region = (REGION_IN_HOST.exec(hostname) ?? REGION_IN_PATH.exec(pathname))?.[1]
  const account = path.at(-2)?.match(/^\d{12}$/)?.[0]
  return { region, account, name: path.at(-1) ?? hostname }
}

/** Reads the `eventSourceARN` of a record. There is no name if the value is not the ARN of a queue. */
export function queueOfArn(arn: unknown): Queue {
  const [, , service, region, account, name] = String(arn).split(':')
  return { region, account, name: service === 'sqs' ? name : undefined }
}

/** Whether both can be the same queue: their names are equal, and nothing that both contain is different. */
export function canBeSame(one: Queue, other: Queue): boolean {
  return (
    one.name === other.name &&
    !isDifferent(one.account, other.account) &&
    !isDifferent(one.region, other.region)
  )
}

function isDifferent(one = '', other = ''): boolean {
  return one !== '' && other !== '' && one !== other
}

/**
 * Makes the SDK send a command to the queue that an ARN names, at the endpoint that the client has resolved.
 *
 * The ARN alone does not give the right URL. The endpoint also depends on the client: its partition, FIPS and
 * dual-stack settings. It can also be configured, for example for a local SQS.
 *
 * The SDK sends a command to the host of `QueueUrl`, unless the client was created with an `endpoint`. So an
 * SDK middleware sets `QueueUrl` from the resolved endpoint before the SDK reads it.
 *
 * @param arn the `eventSourceARN` of the records. Without a valid one, the command rejects with a TypeError.
 */
export function setQueueUrlFromArn(
  command: ChangeMessageVisibilityBatchCommand,
  arn: string | undefined,
): void {
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
  const { account, name } = queueOfArn(arn)
  if (account && name) return `/${account}/${name}`
  throw new TypeError('the eventSourceARN of the record is not the ARN of an SQS queue: set sourceQueueUrl')
}
