import { oneLine, UsageError } from '../shared/errors.ts'

const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|TimeoutError/

interface CallError {
  name: string
  message: string
  code?: string
  call?: string
  $metadata?: { httpStatusCode?: number }
}

/** A middleware of the SDK. It adds the failed call to an error, because errors of the SDK do not name it. */
export function nameFailedCall<Args extends { input: object }, Result>(
  next: (args: Args) => Promise<Result>,
  { commandName }: { commandName?: string },
) {
  return async (args: Args): Promise<Result> => {
    try {
      return await next(args)
    } catch (error) {
      const { FunctionName, EventSourceArn, QueueName, QueueUrl } = args.input as Record<string, string | undefined>
      const resource = FunctionName ?? EventSourceArn ?? QueueName ?? QueueUrl
      const call = `${String(commandName).replace('Command', '')} for ${resource}`
      throw Object.assign(error as Error, { call })
    }
  }
}

/** Why a call failed: `ListAliases for orders: HTTP 403: AccessDeniedException: not authorized`. */
export function reasonOf(error: unknown): string {
  const { name, message, call, $metadata } = error as CallError
  if (/NonExistentQueue|QueueDoesNotExist/.test(name)) return 'there is no such queue'
  const status = $metadata?.httpStatusCode
  // If a response does not come from AWS, the SDK reports `Unknown: UnknownError` or an error of JSON.parse.
  const isForeign = message === 'UnknownError' || name === 'SyntaxError'
  const said = isForeign ? 'the response does not come from AWS: check the endpoint' : message
  const isNamed = !isForeign && name !== 'Unknown'
  const parts = [call, status && `HTTP ${status}`, isNamed && name, said].filter(Boolean)
  return oneLine(parts.join(': '))
}

/** What to do about errors that do not come from AWS. */
const HINTS: readonly [error: RegExp, hint: string][] = [
  [/Region is missing/, 'no AWS region is set: give --region, or set AWS_REGION'],
  [
    /CredentialsProvider|Could not load credentials/,
    'no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [UNREACHABLE, 'Lambda does not respond: check AWS_ENDPOINT_URL and the network'],
]

/** Converts an error of the SDK to one line that says what to do. */
export function explain(error: unknown, name: string): UsageError {
  const { name: type, message, code, call } = error as CallError
  if (type === 'ResourceNotFoundException' && String(call).startsWith('GetFunctionConfiguration ')) {
    return new UsageError(`there is no function ${name}: check the name, --region, and the account of your credentials`)
  }
  const hint = HINTS.find(([pattern]) => pattern.test(`${type} ${code} ${message}`))?.[1]
  return new UsageError(hint ?? reasonOf(error))
}
