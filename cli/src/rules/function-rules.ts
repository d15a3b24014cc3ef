import type { Call } from '../code-search/search.ts'
import type { Queue } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS } from '../model/settings-table.ts'
import { joinNames } from '../shared/format.ts'
import { LAMBDA_GUIDE, numberIn, ownerOf, type Problem, problem, rulesOf, SQS } from './rule.ts'

const ASYNCHRONOUS = ['deadLetterConfig', 'deadLetterQueue', 'invokeConfig'] as const

/** The actions of SQS that functions of this package need. */
const NEEDED: Readonly<Record<Call, string>> = {
  deadLetter: 'sqs:SendMessage',
  retryBackoff: 'sqs:ChangeMessageVisibility',
  isolateCrashes: 'sqs:ChangeMessageVisibility',
}
/** The memory in megabytes from which a first call of SQS ends in time. */
const MEMORY_FOR_SQS = 512

/** What Lambda needs to read a queue. */
const TO_READ = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']
const TO_DECRYPT = ['kms:Decrypt']

/** The actions that the role of a function needs to read a queue. Undefined if they are not known. */
export function neededToRead({ hasOwnKey }: Queue): readonly string[] | undefined {
  return hasOwnKey === undefined ? undefined : [...TO_READ, ...(hasOwnKey ? TO_DECRYPT : [])]
}

export const FUNCTION_RULES = rulesOf({
  'unused-failure-settings': {
    severity: 'warning',
    why: 'Only asynchronous invocations use this setting. Failed messages of a queue need its redrive policy.',
    source: `${LAMBDA_GUIDE}/invocation-async-retain-records.html`,
    check: (mapping) => {
      const owner = ownerOf(mapping.function)
      const set = ASYNCHRONOUS.filter((key) => owner[key].state === 'known')
      if (set.length === 0 || owner.isInvokedOtherwise?.() !== false) return []
      return set.map((key): Problem => {
        const { name } = FUNCTION_SETTINGS[key]
        const fix = `Remove ${name}. Give the queue a redrive policy.`
        return problem(owner, key, `The function has ${name}, but only queues invoke it`, fix)
      })
    },
  },
  'missing-permission': {
    severity: 'warning',
    why: 'SQS denies the call, so failed messages are not delayed, or not sent to a dead-letter queue.',
    source: `${LAMBDA_GUIDE}/lambda-intro-execution-role.html`,
    check: (mapping, { evidenceOf }) => {
      const owner = ownerOf(mapping.function)
      const { calls = [] } = evidenceOf(mapping.function)
      const missing = calls.filter((call) => owner.mayDo?.(NEEDED[call]) === false)
      return missing.map((call) => {
        const what = `The function calls ${call}(), but no statement of its role allows ${NEEDED[call]}`
        return problem(owner, undefined, what, `Allow ${NEEDED[call]} in the role of the function.`)
      })
    },
  },
  'role-cannot-read': {
    severity: 'error',
    why: 'Lambda rejects the mapping.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: ({ function: lambdaFunction, queue }) => {
      const owner = ownerOf(lambdaFunction)
      const why = `Lambda does not receive messages: ${queue.id} has a key of KMS, and Lambda may not use it.`
      const source = `${SQS}/SQSDeveloperGuide/sqs-configure-lambda-function-trigger.html`
      return [
        { actions: TO_READ },
        ...(queue.hasOwnKey ? [{ actions: TO_DECRYPT, more: { why, source } }] : []),
      ].flatMap(({ actions, more }): Problem[] => {
        const missing = joinNames(actions.filter((action) => owner.mayDo?.(action) === false))
        const what = `No policy of the role of ${owner.id} allows ${missing}`
        const fix = `Allow ${missing} in the role of the function.`
        return missing === '' ? [] : [{ ...problem(owner, undefined, what, fix), ...more }]
      })
    },
  },
  'memory-for-sqs': {
    severity: 'warning',
    why: 'CPU grows with the memory. With less, the first call of SQS can take longer than a batch has left.',
    source: `${LAMBDA_GUIDE}/configuration-memory.html`,
    check: ({ function: lambdaFunction }, { evidenceOf }) => {
      const { memory } = lambdaFunction
      const [call] = evidenceOf(lambdaFunction).calls ?? []
      if (call === undefined || !(numberIn(memory) < MEMORY_FOR_SQS)) return undefined
      const standard = memory.state === 'known' && memory.isDefault ? ', the default' : ''
      const what = `The function calls ${call}(), but its memory is ${numberIn(memory)} MB${standard}`
      const fix = `Set MemorySize to ${MEMORY_FOR_SQS} or more.`
      return problem(lambdaFunction, 'memory', what, fix, MEMORY_FOR_SQS)
    },
  },
  'tenant-isolation': {
    severity: 'error',
    why: 'SQS messages have no tenant, so SQS cannot invoke the function. Of all event sources, only API Gateway can.',
    source: `${LAMBDA_GUIDE}/tenant-isolation.html`,
    check: ({ function: lambdaFunction }) => {
      const mode = valueIn(lambdaFunction.tenantIsolation)
      if (mode === undefined) return undefined
      const fix = 'Remove TenancyConfig. Or let another function read the queue and invoke this one with a tenant id.'
      const what = `The function has tenant isolation (${mode}) and reads SQS`
      return problem(lambdaFunction, 'tenantIsolation', what, fix)
    },
  },
})
