import { test } from 'tap'
import {
  incompletePolicy,
  kindMismatch,
  type LambdaFunction,
  pinnedVersion,
  redriveDenied,
  unreadFunction,
  unreadQueue,
  unreadVersion,
  weightedAlias,
} from '../../src/model/model.ts'
import { absent, invalid, known, unknown } from '../../src/model/setting.ts'

const position = { line: 3, column: 5 }

test('a function that could not be read: none of its settings is known', async (t) => {
  const setting = unknown('why')
  t.strictSame(unreadFunction('a', 'why', position), {
    id: 'a',
    position,
    unreadReason: 'why',
    timeout: setting,
    memory: setting,
    runtime: setting,
    reservedConcurrency: setting,
    tenantIsolation: setting,
    recursiveLoop: setting,
  })
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

test('a version and an alias that could not be read share the reserved concurrency of their function', async (t) => {
  const aliasOf = { ...unreadFunction('handler', ''), reservedConcurrency: known(7) } as LambdaFunction
  const expected = (reason: string) => ({
    ...unreadFunction('a', reason, position),
    aliasOf,
    reservedConcurrency: known(7),
  })
  t.strictSame(unreadVersion('a', 'why', aliasOf, position), expected('why'))
  t.strictSame(weightedAlias('a', aliasOf, position), expected('it routes invocations to several versions of handler'))
  t.strictSame(
    pinnedVersion('a', '3', aliasOf, position),
    expected('it is version 3 of handler, whose settings may differ from those of the resource'),
  )
})

test('a redrive policy needs both keys', async (t) => {
  const fix = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
  t.equal(incompletePolicy(true, true, position), undefined)
  t.strictSame(incompletePolicy(false, true, position), invalid('it has no deadLetterTargetArn', fix, position))
  t.strictSame(incompletePolicy(true, false, position), invalid('it has no maxReceiveCount', fix, position))
  t.strictSame(
    incompletePolicy(false, false, position),
    invalid('it has no deadLetterTargetArn and no maxReceiveCount', fix, position),
  )
})

for (const [permission, isListed, denied] of [
  ['denyAll', undefined, 'denyAll'],
  ['denyAll', true, 'denyAll'],
  ['byQueue', false, 'byQueue'],
  ['byQueue', true, undefined],
  ['byQueue', undefined, undefined],
  ['allowAll', false, undefined],
  [undefined, false, undefined],
] as const) {
  test(`redrivePermission ${permission}, while the queue is listed: ${isListed}`, async (t) => {
    const errors = {
      denyAll: invalid(
        'dead has the redrivePermission denyAll',
        'Remove RedriveAllowPolicy of dead, or set its redrivePermission to allowAll.',
        position,
      ),
      byQueue: invalid(
        'dead has the redrivePermission byQueue, and its sourceQueueArns do not contain orders',
        'Add the ARN of orders to sourceQueueArns of dead.',
        position,
      ),
    }
    t.strictSame(redriveDenied('orders', 'dead', permission, isListed, position), denied && errors[denied])
  })
}

test('a queue and its dead-letter queue are of the same kind', async (t) => {
  const queue = (id: string, isFifo?: boolean) => ({ id, fifo: isFifo === undefined ? unknown('why') : known(isFifo) })
  t.strictSame(
    kindMismatch(queue('orders', true), queue('dead', false), position),
    invalid(
      'dead is a standard queue, but orders is a FIFO queue',
      'Use a FIFO queue as the dead-letter queue.',
      position,
    ),
  )
  t.strictSame(
    kindMismatch(queue('orders', false), queue('dead', true), position),
    invalid(
      'dead is a FIFO queue, but orders is a standard queue',
      'Use a standard queue as the dead-letter queue.',
      position,
    ),
  )
  for (const isFifo of [true, false]) {
    t.equal(kindMismatch(queue('orders', isFifo), queue('dead', isFifo)), undefined)
    t.equal(kindMismatch(queue('orders', isFifo), queue('dead')), undefined)
    t.equal(kindMismatch(queue('orders'), queue('dead', isFifo)), undefined)
  }
  t.equal(kindMismatch(queue('orders'), queue('dead')), undefined)
  t.strictSame(kindMismatch({ id: 'orders', fifo: absent }, queue('dead', true)), undefined)
})
