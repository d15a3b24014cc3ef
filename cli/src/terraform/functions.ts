import { type LambdaFunction, otherVersion, unreadFunction } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS } from '../model/settings.ts'
import { codeOfFunction } from './code.ts'
import type { Instance, Plan } from './plan.ts'
import { ELSEWHERE } from './queues.ts'
import { findReferenced, type Lookup } from './references.ts'
import { listAt, settingsAt, textAt } from './values.ts'

const FUNCTION = 'aws_lambda_function'
const ALIAS = 'aws_lambda_alias'

/** A name, an ARN, or the end of an ARN, each with or without an alias or a version. */
function partsOf(name: string) {
  const own = name.replace(/.*:function:/, '')
  const plain = own.replace(/:.*/, '')
  const arn = name.startsWith('arn:') ? name.slice(0, name.length - own.length) + plain : ''
  return { arn, plain, qualifier: own.slice(plain.length + 1) }
}

/** The value of `function_name`. In a state, the ARN is more exact: functions in two regions can have the same name. */
function nameIn(referrer: Instance): Setting<string> {
  const arn = textAt(referrer, 'function_arn')
  return referrer.config === undefined && arn.state === 'known' ? arn : textAt(referrer, 'function_name')
}

/** The function or the alias that `function_name` means. */
export function findFunction({ instances }: Plan, referrer: Instance): Lookup {
  const name = nameIn(referrer)
  const referenced = findReferenced(referrer, 'function_name', [FUNCTION, ALIAS])
  if (name.state !== 'known') return referenced
  const { arn, plain } = partsOf(name.value)
  const alias = instances.find((one) => one.type === ALIAS && one.values.arn === name.value)
  if (alias) return { instance: alias }
  const same = instances.filter(({ type, values }) => {
    const isOther = arn !== '' && values.arn !== undefined && values.arn !== arn
    return type === FUNCTION && values.function_name === plain && !isOther
  })
  const declared = same.filter((one) => one === referenced.instance)
  const managed = same.filter(({ mode }) => mode === 'managed')
  const [instance, ...more] = [declared, managed, same].find(({ length }) => length > 0) ?? []
  return instance && more.length === 0 ? { instance } : { reason: ELSEWHERE, arn: name.value }
}

function functionOfInstance(plan: Plan, instance: Instance): LambdaFunction {
  const lambdaFunction = plan.functions.get(instance) ?? {
    id: instance.address,
    ...settingsAt(FUNCTION_SETTINGS, instance),
    code: codeOfFunction(instance, plan.instances),
    nodeOptions: textAt(instance, 'environment', 0, 'variables', 'NODE_OPTIONS'),
  }
  plan.functions.set(instance, lambdaFunction)
  return lambdaFunction
}

/** Whether a version is the newest one. Older ones can have other settings than the resource. */
function isNewest({ values }: Instance, version: string | undefined): boolean {
  return ['$LATEST', values.version].includes(version)
}

/** The function of an alias. An alias can route to several versions. */
function atAlias(plan: Plan, alias: Instance): LambdaFunction {
  const { address: id } = alias
  const { instance, reason } = findFunction(plan, alias)
  if (!instance) return unreadFunction(id, `its function: ${reason}`)
  const lambdaFunction = functionOfInstance(plan, instance)
  const routing = listAt(alias, 'routing_config')
  const isWeighted = routing.state === 'unknown' || (valueIn(routing) ?? []).length > 0
  const version = textAt(alias, 'function_version')
  const referenced = findReferenced(alias, 'function_version', [FUNCTION])
  const isOwn =
    version.state === 'unknown'
      ? referenced.instance === instance && referenced.doubt === undefined
      : isNewest(instance, valueIn(version))
  return isOwn && !isWeighted ? lambdaFunction : otherVersion(id, lambdaFunction)
}

/** The function that a mapping invokes, directly or through an alias. */
export function functionOfMapping(plan: Plan, mapping: Instance): LambdaFunction {
  const { instance, reason, arn } = findFunction(plan, mapping)
  if (!instance) return unreadFunction(arn ?? 'its function', reason)
  if (instance.type === ALIAS) return atAlias(plan, instance)
  const lambdaFunction = functionOfInstance(plan, instance)
  const { qualifier } = partsOf(String(valueIn(nameIn(mapping))))
  if (qualifier === '' || isNewest(instance, qualifier)) return lambdaFunction
  const alias = plan.instances.find(
    (one) => one.type === ALIAS && one.values.name === qualifier && findFunction(plan, one).instance === instance,
  )
  return alias ? atAlias(plan, alias) : otherVersion(`${instance.address}:${qualifier}`, lambdaFunction)
}
