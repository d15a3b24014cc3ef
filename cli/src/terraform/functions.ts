import { type LambdaFunction, pinnedVersion, unreadFunction, unreadVersion, weightedAlias } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS } from '../model/settings.ts'
import { memoize } from '../shared/memoize.ts'
import { codeOf } from './code.ts'
import type { Instance, Plan } from './plan.ts'
import { ELSEWHERE } from './queues.ts'
import { findReferenced, mentionedBy, type ReferenceLookup, resolveArgument } from './references.ts'
import { blockAt, listAt, settingsAt, textAt } from './values.ts'

const FUNCTION = 'aws_lambda_function'
const ALIAS = 'aws_lambda_alias'

/** Reads the functions of a plan or a state. */
export function createFunctions({ instances }: Plan) {
  const functions = instances.filter(({ type }) => type === FUNCTION)
  const aliases = instances.filter(({ type }) => type === ALIAS)

  function belongsTo(instance: Instance, referrer: Instance): boolean {
    const name = valueIn(textAt(referrer, 'function_name'))
    if (name === undefined) return mentionedBy(referrer, 'function_name').includes(instance)
    const { arn, plain } = partsOf(name)
    return plain === instance.values.function_name && !differs(instance, arn)
  }
  const toFunction = memoize((instance: Instance): LambdaFunction => {
    const managed = blockAt(instance, 'capacity_provider_config')
    return {
      id: instance.address,
      ...settingsAt(FUNCTION_SETTINGS, instance, managed),
      code: codeOf(instance, instances),
      nodeOptions: valueIn(textAt(instance, 'environment', 0, 'variables', 'NODE_OPTIONS')),
    }
  })

  /** The function at this version. An older version can have other settings than the resource, so it is not read. */
  function qualified(instance: Instance, id: string, version: string | undefined): LambdaFunction {
    const lambdaFunction = toFunction(instance)
    if (version === undefined || ['$LATEST', instance.values.version].includes(version)) return lambdaFunction
    return pinnedVersion(id, version, lambdaFunction)
  }

  function ofAlias(alias: Instance): LambdaFunction {
    const { address: id } = alias
    const { instance, reason } = find(alias)
    if (!instance) return unreadFunction(id, `its function: ${reason}`)
    const [routing, version] = [listAt(alias, 'routing_config'), textAt(alias, 'function_version')]
    if (routing.state === 'unknown') return unreadVersion(id, `its routing: ${routing.reason}`, toFunction(instance))
    if (routing.state === 'known' && routing.value.length > 0) return weightedAlias(id, toFunction(instance))
    const referenced = findReferenced(resolveArgument(alias, 'function_version'), [FUNCTION])
    const isNewest = referenced.instance === instance && !referenced.doubt
    if (version.state === 'unknown' && !isNewest) {
      return unreadVersion(id, `its version: ${version.reason}`, toFunction(instance))
    }
    return qualified(instance, id, valueIn(version))
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

  function find(referrer: Instance): ReferenceLookup {
    const name = nameIn(referrer)
    const referenced = findReferenced(resolveArgument(referrer, 'function_name'), [FUNCTION, ALIAS])
    if (name.state !== 'known') return referenced
    const { arn, plain } = partsOf(name.value)
    const byArn = onlyOne(aliases, 'arn', name.value) ?? onlyOne(functions, 'arn', arn)
    if (byArn) return { instance: byArn }
    const declared = referenced.instance
    const isDeclared = declared?.type === FUNCTION && declared.values.function_name === plain
    const named = isDeclared ? declared : onlyOne(functions, 'function_name', plain)
    return named && !differs(named, arn) ? { instance: named } : { reason: ELSEWHERE, arn: name.value }
  }

  /**
   * The function that a mapping invokes, directly or through an alias. `doubt` is the reason why it may be another one.
   */
  return function functionOf(mapping: Instance): { lambdaFunction: LambdaFunction; doubt?: string | undefined } {
    const { instance, doubt, reason, arn } = find(mapping)
    if (!instance) return { lambdaFunction: unreadFunction(arn ?? 'its function', reason) }
    if (instance.type === ALIAS) return { lambdaFunction: ofAlias(instance), doubt }
    const name = nameIn(mapping)
    const qualifier = name.state === 'known' ? partsOf(name.value).qualifier : ''
    if (qualifier === '') return { lambdaFunction: toFunction(instance), doubt }
    const alias = aliases.find((one) => one.values.name === qualifier && belongsTo(instance, one))
    const id = `${instance.address}:${qualifier}`
    return { lambdaFunction: alias ? ofAlias(alias) : qualified(instance, id, qualifier), doubt }
  }
}

/** The value of `function_name`. In a state, the ARN is more exact: functions in two regions can have the same name. */
function nameIn(referrer: Instance): Setting<string> {
  const arn = textAt(referrer, 'function_arn')
  return referrer.config === undefined && arn.state === 'known' ? arn : textAt(referrer, 'function_name')
}

/** A name, an ARN, or the end of an ARN, each with or without an alias or a version. */
function partsOf(name: string) {
  const own = name.replace(/.*:function:/, '')
  const plain = own.replace(/:.*/, '')
  const arn = name.startsWith('arn:') ? name.slice(0, name.length - own.length) + plain : ''
  return { arn, plain, qualifier: own.slice(plain.length + 1) }
}

/** Whether the function is known to have another ARN. */
function differs({ values }: Instance, arn: string) {
  return arn !== '' && values.arn !== undefined && values.arn !== arn
}
