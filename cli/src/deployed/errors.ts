import { oneLine, UsageError } from '../shared/errors.ts'

/** What to say about some errors. Others have a message of AWS, which names the action and the resource. */
const HINTS: readonly [error: RegExp, hint: string][] = [
  [/NonExistentQueue|QueueDoesNotExist/, 'there is no such queue'],
  [/Region is missing/, 'no AWS region is set: give --region, or set AWS_REGION'],
  [
    /CredentialsProvider|Could not load credentials/,
    'no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|TimeoutError|Invalid URL/,
    'AWS cannot be reached: check AWS_ENDPOINT_URL and the network',
  ],
  // The SDK reports `Unknown: UnknownError` or an error of JSON.parse.
  [/UnknownError|SyntaxError/, 'the response does not come from AWS: check the endpoint'],
]

/** Why a call failed: `HTTP 403: AccessDeniedException: not authorized`. */
export function reasonOf(error: unknown): string {
  const { name, message, code, $metadata } = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } }
  const hint = HINTS.find(([pattern]) => pattern.test(`${name} ${code} ${message}`))?.[1]
  const status = $metadata?.httpStatusCode
  return hint ?? oneLine([...(status ? [`HTTP ${status}`] : []), name, message].join(': '))
}

/** Converts an error of the SDK to one line that says what to do. */
export function explain(error: unknown, name: string): UsageError {
  if ((error as Error).name !== 'ResourceNotFoundException') return new UsageError(reasonOf(error))
  return new UsageError(`there is no function ${name}: check the name, --region, and the account of your credentials`)
}
