import type { LambdaFunction, Mapping, Queue, RedrivePolicy } from '../../src/model/model.ts'
import { absent, known, type Setting } from '../../src/model/setting.ts'
import {
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  QUEUE_SETTINGS,
  type SettingsOf,
  type Table,
} from '../../src/model/settings-table.ts'

function absentIn<T extends Table>(table: T): SettingsOf<T> {
  return Object.fromEntries(Object.keys(table).map((key) => [key, absent])) as SettingsOf<T>
}

/** A function of a model, in which all other settings are absent. */
export function functionOf(settings: Partial<LambdaFunction> = {}): LambdaFunction {
  return { id: 'Handler', ...absentIn(FUNCTION_SETTINGS), ...settings }
}

/** A redrive policy without a problem, apart from the changes. */
export function redriveOf(
  policy: Partial<RedrivePolicy> = {},
  deadLetterQueue: Partial<RedrivePolicy['deadLetterQueue']> = {},
): Setting<RedrivePolicy> {
  return known({
    arn: known('arn:aws:sqs:eu-west-1:123456789012:dead'),
    maxReceiveCount: known(5),
    deadLetterQueue: { id: 'Dead', fifo: known(false), retention: known(1_209_600), ...deadLetterQueue },
    ...policy,
  })
}

/** A queue of a model with a redrive policy, in which all other settings are absent. */
export function queueOf(settings: Partial<Queue> = {}): Queue {
  return { id: 'Queue', ...absentIn(QUEUE_SETTINGS), redrive: redriveOf(), ...settings }
}

/** A mapping of a model without a problem, in which all other settings are absent. */
export function mappingOf(settings: Partial<Mapping> = {}): Mapping {
  return {
    id: 'Orders',
    ...absentIn(MAPPING_SETTINGS),
    reportBatchItemFailures: known(true),
    runs: known(true),
    function: functionOf(),
    queue: queueOf(),
    ...settings,
  }
}
