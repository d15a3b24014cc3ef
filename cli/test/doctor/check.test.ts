// How the problems of several mappings and rules become findings, for mappings that are written as a model.
import { test } from 'tap'
import { detect as detectIn } from '../../src/doctor/check.ts'
import type { Mapping, Model } from '../../src/model/model.ts'
import { unreadQueue } from '../../src/model/model.ts'
import { absent, known, type Setting, unknown } from '../../src/model/setting.ts'
import { check as checkInput } from '../support/doctor.ts'
import { functionOf, mappingOf, queueOf, redriveOf } from '../support/models.ts'
import { ids } from '../support/templates.ts'

const AT = { line: 5, column: 3 }
const BELOW = { line: 6, column: 3 }

function check(model: Model, file?: string) {
  return checkInput({ kind: 'template', file, model })
}

function detect(model: Model) {
  return detectIn({ kind: 'template', model })
}

/** MinimumPollers above MaximumPollers. */
function wrong(position?: Setting<number>['position']) {
  return { minimumPollers: known(20, position), maximumPollers: known(10) }
}

function modelOf(mappings: readonly Mapping[], more: Partial<Model> = {}): Model {
  return { mappings, unreadResources: [], ...more }
}

test('one setting breaks two rules: one finding, with the problem of the first rule only', (t) => {
  const queue = queueOf({ visibilityTimeout: known(1, AT), redrive: absent, isDeadLetterQueue: true })
  const mapping = mappingOf({ queue, function: functionOf({ timeout: known(30) }) })
  const [{ finding, scopes } = {}, ...more] = detect(modelOf([mapping]))
  t.strictSame(more, [])
  t.equal(finding?.rule, 'visibility-below-timeout')
  const scope = ['Queue', 'Orders', 'Handler', 'Queue']
  t.strictSame(scopes, [scope, scope], 'both problems must be accepted')
  t.end()
})

test('the findings are sorted by severity, then by mapping and rule', (t) => {
  const one = mappingOf({
    id: 'One',
    queue: queueOf({ redrive: redriveOf({ maxReceiveCount: known(1) }) }),
  })
  const other = mappingOf({
    id: 'Other',
    queue: queueOf({ id: 'Others', retention: unknown('x') }),
    function: functionOf({ code: { inline: 'batchItemFailures' } }),
    reportBatchItemFailures: known(false),
    ...wrong(),
  })
  const third = mappingOf({ id: 'Third', ...wrong(), queue: queueOf({ id: 'Thirds' }) })
  t.strictSame(ids(check(modelOf([one, other, third]))), [
    'report-batch-item-failures Other',
    'poller-range Other',
    'poller-range Third',
    'max-receive-count Queue',
    'not-checked Others',
  ])
  t.end()
})

const ISOLATED = { ...known('A'), id: 'shared isolation' }
/** Mappings of different functions and queues, whose functions share the tenant isolation. */
function shared(count: number, tenantIsolation: Setting<string> = ISOLATED): Mapping[] {
  return Array.from({ length: count }, (_, n) =>
    mappingOf({ id: `M${n}`, function: functionOf({ id: `F${n}`, tenantIsolation }), queue: queueOf({ id: `Q${n}` }) }),
  )
}
test('a setting of several functions: the finding names them, once', (t) => {
  const ends = (mappings: readonly Mapping[]) =>
    check(modelOf(mappings)).map(({ resource, message }) => [resource, message.split('. ').at(-1)])
  const last = 'Of all event sources, only API Gateway can.'
  t.strictSame(ends(shared(1)), [['F0', last]])
  t.strictSame(ends(shared(2)), [['F0', 'It applies to F0, F1.']])
  t.strictSame(ends(shared(1, { ...ISOLATED, section: 'Globals' })), [['Globals', 'It applies to F0.']])
  t.strictSame(ends([...shared(1), ...shared(1)]), [['F0', last]])
  t.end()
})

test('problems without a place or id of the setting are separate findings', (t) => {
  const policy = { redrive: { state: 'absent' } as const }
  const mappings = [
    mappingOf({ queue: queueOf(policy) }),
    mappingOf({ id: 'B', queue: queueOf({ id: 'Q', ...policy }) }),
  ]
  t.strictSame(ids(check(modelOf(mappings))), ['no-redrive-policy Queue', 'no-redrive-policy Q'])
  t.end()
})

test('what is not known for two reasons is two findings', (t) => {
  const mapping = (id: string, reason: string) => mappingOf({ id, batchSize: unknown(reason) })
  const found = check(modelOf([mapping('Orders', 'x'), mapping('Orders', 'y')]))
  t.strictSame(ids(found), ['not-checked Orders', 'not-checked Orders'])
  t.end()
})

test('a macro makes several settings unknown: a warning, and what was not checked', (t) => {
  const mapping = mappingOf({ reportBatchItemFailures: unknown('x', AT), batchSize: unknown('x', AT) })
  const window = unknown('y', AT)
  const [first, second, ...more] = check(modelOf([{ ...mapping, window, queue: queueOf({ id: 'Q' }) }, mapping]))
  t.strictSame(more, [])
  t.match(first, { rule: 'report-batch-item-failures', message: /^It is not known whether / })
  t.equal(second?.message, 'Not checked: BatchSize, MaximumBatchingWindowInSeconds. Reason: x.')
  t.end()
})

test('several settings that are not known, at one place: one finding, with the first reason', (t) => {
  const mapping = mappingOf({ batchSize: unknown('x', AT), window: unknown('y', AT) })
  t.strictSame(
    check(modelOf([mapping])).map(({ message }) => message),
    ['Not checked: BatchSize, MaximumBatchingWindowInSeconds. Reason: x.'],
  )
  t.end()
})

test('the file and the line: of the setting, of the resource, of another stack, or the first line', (t) => {
  const place = (mapping: Mapping, file?: string) => {
    const [finding] = check(modelOf([mapping]), file)
    return [finding?.file, finding?.line]
  }
  const size = (position?: Setting<number>['position']) => mappingOf({ position: BELOW, ...wrong(position) })
  t.strictSame(place(size(AT), 'a.yaml'), ['a.yaml', 5])
  t.strictSame(place(size(), 'a.yaml'), ['a.yaml', 6])
  t.strictSame(place(size({ ...AT, file: 'b.yaml' }), 'a.yaml'), ['b.yaml', 5])
  t.strictSame(place(mappingOf({ ...wrong() }), 'a.yaml'), ['a.yaml', 1])
  t.strictSame(place(size(AT)), [undefined, undefined])
  t.end()
})

test('a finding without a file has no file and no line', (t) => {
  const [finding] = check(modelOf([mappingOf({ ...wrong() })]))
  t.strictSame(finding, {
    rule: 'poller-range',
    severity: 'error',
    resource: 'Orders',
    message: 'MinimumPollers (20) is above MaximumPollers (10). Lambda rejects the mapping.',
    fix: 'Set MinimumPollers to at most 10.',
    set: 'ProvisionedPollerConfig: { MinimumPollers: 10 }',
    source: 'https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html',
  })
  t.end()
})

test('a function and its alias share the reserved concurrency', (t) => {
  const reservedConcurrency = known(9, AT)
  const owner = functionOf({ id: 'F', reservedConcurrency })
  const alias = functionOf({ id: 'F:live', aliasOf: owner, reservedConcurrency })
  const limited = (id: string, of: typeof owner) =>
    mappingOf({ id, function: of, queue: queueOf({ id: `Queue${id}` }), maximumConcurrency: known(5) })
  const found = (other: typeof owner) => check(modelOf([limited('A', owner), limited('B', other)]))
  t.match(found(alias), [
    { rule: 'concurrency-above-reserved', resource: 'F', message: /its 2 mappings together is 10, / },
  ])
  t.strictSame(found(functionOf({ id: 'G', reservedConcurrency: known(9) })), [])
  t.end()
})

test('a queue that was not read is the same queue for two mappings if its ARN is known', (t) => {
  const found = (id: string) => {
    const mappings = ['A', 'B'].map((name) => {
      return mappingOf({ id: name, function: functionOf({ id: `F${name}` }), queue: unreadQueue(id, 'x') })
    })
    return ids(check(modelOf(mappings))).filter((text) => !text.startsWith('not-checked'))
  }
  t.strictSame(found('arn:aws:sqs:eu-west-1:123456789012:orders'), [
    'shared-queue arn:aws:sqs:eu-west-1:123456789012:orders',
  ])
  t.strictSame(found('its queue'), [])
  t.end()
})

test('a mapping of another function that reads the queue is compared, but not checked', (t) => {
  const queue = queueOf()
  const other = mappingOf({ id: 'Other', function: functionOf({ id: 'G' }), queue, ...wrong() })
  const found = (otherReaders: Mapping[]) => ids(check(modelOf([mappingOf({ queue })], { otherReaders })))
  t.strictSame(found([other]), ['shared-queue Queue'])
  t.strictSame(found([{ ...other, queue: queueOf({ id: 'Others' }) }]), [])
  t.end()
})
