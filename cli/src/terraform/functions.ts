import { type LambdaFunction, pinnedVersion, unreadFunction, weightedAlias } from '../model/model.ts'
import { known, type Setting, valueIn, withId } from '../model/setting.ts'
import { FUNCTION_SETTINGS } from '../model/settings.ts'
import { memoize } from '../shared/memoize.ts'
import { codeOf } from './code.ts'
import type { Instance, Plan } from './plan.ts'
import { ELSEWHERE } from './queues.ts'
import { findReferenced, mentionedBy, type ReferenceLookup, resolveArgument } from './references.ts'
import { blockAt, listAt, settingsAt, textAt } from './values.ts'

const FUNCTION = 'aws_lambda_function'
const ALIAS = 'aws_lambda_alias'
const NEVER_INVOKES =
  /^aws_(lambda_(function|alias|event_source_mapping|function_event_invoke_config|function_recursion_config|provisioned_concurrency_config)|iam_\w+|cloudwatch_log_\w+|cloudwatch_metric_alarm|appautoscaling_\w+)$/

/** Reads the functions of a plan or a state. */
export function createFunctions({ instances }: Plan) {
  const functions = instances.filter(({ type }) => type === FUNCTION)
  const aliases = instances.filter(({ type }) => type === ALIAS)

  function belongsTo(instance: Instance, referrer: Instance): boolean {
    const name = valueIn(textAt(referrer, 'function_name'))
    const own = [instance.values.function_name, instance.values.arn]
    return name === undefined ? mentionedBy(referrer, 'function_name').includes(instance) : own.includes(name)
  }
  /** The separate resource of this type that configures a function. */
  function configOf(instance: Instance, type: string): Instance | undefined {
    return instances.find((one) => one.type === type && belongsTo(instance, one))
  }
  /** Whether a permission, or another resource that refers to the function, may invoke it. */
  function hasOtherInvokers(instance: Instance): boolean {
    return instances.some((one) => {
      if (one === instance || NEVER_INVOKES.test(one.type)) return false
      const names = Object.keys(one.config?.expressions ?? {})
      const { arn } = instance.values
      const mentionsArn = typeof arn === 'string' && JSON.stringify(one.values).includes(arn)
      const isOwn = 'function_name' in one.values && belongsTo(instance, one)
      return mentionsArn || isOwn || names.some((name) => mentionedBy(one, name).includes(instance))
    })
  }

  const toFunction = memoize((instance: Instance): LambdaFunction => {
    const managed = blockAt(instance, 'capacity_provider_config')
    const settings = settingsAt(FUNCTION_SETTINGS, instance, undefined, managed)
    const recursion = configOf(instance, 'aws_lambda_function_recursion_config')
    const invokeConfig = configOf(instance, 'aws_lambda_function_event_invoke_config')
    return {
      id: instance.address,
      ...settings,
      recursiveLoop: recursion ? textAt(recursion, 'recursive_loop') : settings.recursiveLoop,
      eventInvokeConfig: invokeConfig ? withId(invokeConfig.address, known<true>(true)) : settings.eventInvokeConfig,
      code: codeOf(instance, instances),
      ...(invokeConfig ? { hasOtherInvokers: hasOtherInvokers(instance) } : {}),
      nodeOptions: valueIn(textAt(instance, 'environment', 0, 'variables', 'NODE_OPTIONS')),
    }
  })

  /** The function at this version. An older version can have other settings than the resource, so it is not read. */
  function qualified(instance: Instance, id: string, version: Setting<string>): LambdaFunction {
    const lambdaFunction = toFunction(instance)
    const newest = textAt(instance, 'version')
    if (version.state !== 'known' || ['$LATEST', valueIn(newest)].includes(version.value)) return lambdaFunction
    return pinnedVersion(id, version.value, lambdaFunction)
  }

  function ofAlias(alias: Instance): LambdaFunction {
    const { address: id } = alias
    const found = find(alias, [FUNCTION])
    if (!found.instance) return unreadFunction(id, `its function: ${found.reason}`)
    const weights = valueIn(listAt(alias, 'routing_config')) ?? []
    if (weights.length > 0) return weightedAlias(id, toFunction(found.instance))
    return qualified(found.instance, id, textAt(alias, 'function_version'))
  }

  /**
   * The instance with this value, if there is only one. A resource is preferred to a data source of the same function.
   */
  function onlyOne(some: readonly Instance[], attribute: string, value: string): Instance | undefined {
    const same = some.filter(({ values }) => values[attribute] === value)
    const managed = same.filter(({ mode }) => mode === 'managed')
    const [one, ...more] = managed.length > 0 ? managed : same
    return more.length === 0 ? one : undefined
  }

  function find(referrer: Instance, types: readonly string[]): ReferenceLookup {
    const name = nameIn(referrer)
    const referenced = findReferenced(resolveArgument(referrer, 'function_name'), types)
    if (name.state !== 'known') return referenced
    const { arn, plain } = partsOf(name.value)
    const declared = referenced.instance?.values.function_name === plain ? referenced.instance : undefined
    const instance =
      (types.includes(ALIAS) ? onlyOne(aliases, 'arn', name.value) : undefined) ??
      onlyOne(functions, 'arn', arn) ??
      (declared?.type === FUNCTION ? declared : onlyOne(functions, 'function_name', plain))
    if (!instance || differs(instance, arn)) {
      return { reason: ELSEWHERE, arn: name.value, candidates: [] }
    }
    return { instance }
  }

  /**
   * The function that a mapping invokes, directly or through an alias. `doubt` is the reason why it may be another one.
   */
  return function functionOf(mapping: Instance): { lambdaFunction: LambdaFunction; doubt?: string | undefined } {
    const found = find(mapping, [FUNCTION, ALIAS])
    const { instance } = found
    if (!instance) return { lambdaFunction: unreadFunction(found.arn ?? 'its function', found.reason) }
    const { doubt } = found
    if (instance.type === ALIAS) return { lambdaFunction: ofAlias(instance), doubt }
    const { qualifier } = partsOf(valueIn(nameIn(mapping)) ?? '')
    if (qualifier === undefined) return { lambdaFunction: toFunction(instance), doubt }
    const alias = aliases.find(
      (one) =>
        one.values.name === qualifier &&
        partsOf(String(one.values.function_name)).plain === instance.values.function_name,
    )
    if (alias) return { lambdaFunction: ofAlias(alias), doubt }
    const version: Setting<string> = known(qualifier)
    return { lambdaFunction: qualified(instance, `${instance.address}:${qualifier}`, version), doubt }
  }
}

/** The value of `function_name`. In a state, the ARN is more exact: functions in two regions can have the same name. */
function nameIn(referrer: Instance): Setting<string> {
  const arn = textAt(referrer, 'function_arn')
  return referrer.config === undefined && arn.state === 'known' ? arn : textAt(referrer, 'function_name')
}

/** A name, an ARN, or the end of an ARN, each with or without an alias or a version. */
function partsOf(name: string) {
  const [, prefix = '', plain = '', qualifier] = /^(?:(.*):)?function:([^:]+)(?::(.+))?$/.exec(name) ?? []
  if (plain !== '') return { arn: prefix.startsWith('arn:') ? `${prefix}:function:${plain}` : '', plain, qualifier }
  const [only = '', alias] = name.split(':')
  return { arn: '', plain: only, qualifier: alias }
}

/** Whether the function is known to have another ARN. */
function differs({ values }: Instance, arn: string) {
  return arn !== '' && typeof values.arn === 'string' && values.arn !== arn
}
