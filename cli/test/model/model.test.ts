import { test } from 'tap'
import {
  deadLetterQueueOf,
  type LambdaFunction,
  otherVersion,
  provisionedOf,
  type Queue,
  unreadFunction,
  unreadQueue,
} from '../../src/model/model.ts'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { FUNCTION_SETTINGS } from '../../src/model/settings.ts'
import { mappingOf, queueOf } from '../support/models.ts'

const position = { line: 3, column: 5 }

test('a function that could not be read: none of its settings is known', async (t) => {
  const { id, position: at, unreadReason, ...settings } = unreadFunction('a', 'why', position)
  t.strictSame([id, at, unreadReason], ['a', position, 'why'])
  t.strictSame(Object.keys(settings), Object.keys(FUNCTION_SETTINGS))
  for (const setting of Object.values(settings)) t.strictSame(setting, unknown('why'))
})

test('a queue that could not be read: none of its settings is known', async (t) => {
  const setting = unknown('why', position)
  t.strictSame(unreadQueue('a', 'why', position), {
    id: 'a',
    position,
    unreadReason: 'why',
    fifo: setting,
    visibilityTimeout: setting,
    retention: setting,
    delay: setting,
    maximumMessageSize: setting,
    contentBasedDeduplication: setting,
    redrive: setting,
  })
})

test('an alias or a version with other settings shares the reserved concurrency of its function', async (t) => {
  const aliasOf: LambdaFunction = { ...unreadFunction('handler', ''), reservedConcurrency: known(7) }
  t.strictSame(otherVersion('a', aliasOf, position), {
    ...unreadFunction('a', 'its versions may have other settings than handler', position),
    aliasOf,
    reservedConcurrency: known(7),
  })
})

test('a mapping is in provisioned mode if it has a number of pollers, even one that AWS rejects', async (t) => {
  const provisioned = (minimumPollers: Setting<number>, maximumPollers: Setting<number> = absent) =>
    provisionedOf(mappingOf({ minimumPollers, maximumPollers }))
  t.strictSame(provisioned(absent), known(false))
  for (const pollers of [known(2), invalid('why', 'how')]) {
    t.strictSame(provisioned(pollers), known(true))
    t.strictSame(provisioned(unknown('why'), pollers), known(true))
  }
  t.strictSame(provisioned(unknown('why')), unknown('why'))
  t.strictSame(provisioned(absent, unknown('why')), unknown('why'))
})

test('the retention of a dead-letter queue that could not be read is the same setting for all queues', async (t) => {
  const retentionOf = (queue: Partial<Queue>) => deadLetterQueueOf(queueOf(queue)).retention
  const [bare, placed] = [unknown('why'), unknown('why', position)]
  t.strictSame(deadLetterQueueOf(unreadQueue('a', 'why', position)), {
    id: 'a',
    position,
    unreadReason: 'why',
    fifo: placed,
    retention: placed,
  })
  t.strictSame(retentionOf({ id: 'a', unreadReason: 'why', retention: bare }), { ...bare, id: 'a retention' })
  t.strictSame(retentionOf({ retention: bare }), bare)
})
