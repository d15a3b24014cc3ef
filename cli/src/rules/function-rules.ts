import type { LambdaFunction } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { LAMBDA_GUIDE, problem, type Rule } from './rule.ts'

/** Whether the runtime is Node.js, or may be. */
export function mayBeNode({ runtime }: LambdaFunction): boolean {
  return (valueIn(runtime) ?? 'nodejs').startsWith('nodejs')
}

/** Whether `require()` of an ES module fails in the function. */
export function refusesRequire(lambdaFunction: LambdaFunction): boolean {
  // Node separates the options by spaces.
  const options = lambdaFunction.nodeOptions && valueIn(lambdaFunction.nodeOptions)?.split(' ')
  return mayBeNode(lambdaFunction) && !options?.includes('--experimental-require-module')
}

export const FUNCTION_RULES: readonly Rule[] = [
  {
    id: 'tenant-isolation',
    severity: 'error',
    why: 'SQS messages have no tenant, so SQS cannot invoke the function. Of all event sources, only API Gateway can.',
    source: `${LAMBDA_GUIDE}/tenant-isolation.html`,
    check: ({ function: lambdaFunction }) => {
      const mode = valueIn(lambdaFunction.tenantIsolation)
      if (mode === undefined) return undefined
      const fix = 'Remove TenancyConfig. Or let another function read the queue and invoke this one with a tenant id.'
      const what = `The function has tenant isolation (${mode}) and reads SQS`
      return problem(lambdaFunction, lambdaFunction.tenantIsolation, what, fix)
    },
  },
  {
    id: 'commonjs-handler',
    severity: 'error',
    why: 'Lambda starts Node.js with --no-experimental-require-module, so require() of this package fails. The function does not start, and every message goes to the dead-letter queue or expires.',
    source: `${LAMBDA_GUIDE}/lambda-nodejs.html`,
    check: ({ function: lambdaFunction }, { evidenceOf }) => {
      const { nodeOptions, unreadReason, aliasOf, code = aliasOf?.code } = lambdaFunction
      // A bundler includes this package in the file.
      if (!refusesRequire(lambdaFunction) || code?.isBuilt) return undefined
      const { requiresPackage: file } = evidenceOf(lambdaFunction)
      if (file === undefined) return undefined
      const what = `${file} loads this package with require()`
      const fix = 'Use import in an ES module, or bundle the function, for example with esbuild.'
      const found = { resource: lambdaFunction, position: lambdaFunction.position, what, fix }
      const reason = unreadReason ?? (nodeOptions?.state === 'unknown' ? nodeOptions.reason : undefined)
      if (reason === undefined) return found
      return { ...found, what: `${what}, and NODE_OPTIONS is not known: ${reason}`, severity: 'warning' }
    },
  },
]
