// How the problems of several mappings, cases and rules become findings, for mappings that are written as a model.
import { test } from 'tap'
import { check, detect, NOT_CHECKED } from '../../src/doctor/check.ts'
import type { Mapping, Model } from '../../src/model/model.ts'
import { unreadQueue } from '../../src/model/model.ts'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { functionOf, mappingOf, queueOf, redriveOf } from '../support/models.ts'
import { cloudFormation, findingsIn, ids } from '../support/templates.ts'

const AT = { line: 5, column: 3 }
const BELOW = { line: 6, column: 3 }

function modelOf(mappings: readonly Mapping[], more: Partial<Model> = {}): Model {
  return { mappings, unreadResources: [], ...more }
}

/** A case in which the mapping has this batch size, always at the same place. */
function sized(label: string, batchSize: number, assumed?: Record<string, string>): Model {
  return modelOf([mappingOf({ batchSize: known(batchSize, AT) })], { label, ...(assumed ? { assumed } : {}) })
}
const TOO_BIG = 10_001
const WHY = 'Lambda rejects the mapping: a batch has at most 10,000 records.'

for (const [title, cases, said] of [
  ['one case', [sized('', TOO_BIG)], ''],
  ['one of two cases', [sized('with a', 1), sized('with b', TOO_BIG)], ' This is so with b.'],
  [
    'two of three cases',
    [sized('with a', 1), sized('with b', TOO_BIG), sized('with c', TOO_BIG)],
    ' This is so with b, and in 1 other case.',
  ],
  [
    'three of four cases',
    [sized('with a', TOO_BIG), sized('with b', TOO_BIG), sized('with c', TOO_BIG), sized('with d', 1)],
    ' This is so with a, and in 2 other cases.',
  ],
  ['two of two cases', [sized('with a', TOO_BIG), sized('with b', TOO_BIG)], ''],
] as const) {
  test(`a problem in ${title}: the finding says in which`, (t) => {
    t.strictSame(
      check(cases).map(({ rule, severity, message }) => [rule, severity, message]),
      [['batch-size', 'error', `The batch size is 10,001. ${WHY}${said}`]],
    )
    t.end()
  })
}

test('a problem that differs between the cases: the finding shows the first one, and calls it the worst', (t) => {
  const [finding, ...more] = check([sized('with a', TOO_BIG), sized('with b', 20_000)])
  t.strictSame(more, [])
  t.equal(finding?.message, `The batch size is 10,001. ${WHY} The worst case is with a.`)
  t.end()
})

/** A case with a queue whose visibility timeout is below the timeout of its function. */
function slow(label: string, timeout: number): Model {
  const queue = queueOf({ visibilityTimeout: known(1, AT) })
  return modelOf([mappingOf({ queue, function: functionOf({ timeout: known(timeout) }) })], { label })
}
test('a problem that is stricter in one case: the finding shows the strictest', (t) => {
  const said = (...cases: Model[]) => check(cases).map(({ message, fix }) => [message.split('. ').at(-1), fix])
  const fix = (seconds: number) => `Set VisibilityTimeout to ${seconds}.`
  t.strictSame(said(slow('with a', 20), slow('with b', 30), slow('with c', 25)), [
    ['The worst case is with b.', fix(180)],
  ])
  t.end()
})

test('what is checked in all cases of a parameter is not listed as not checked in the cases of another one', (t) => {
  const sizeIn = (parameter: string, batchSize: Setting<number>) =>
    modelOf([mappingOf({ batchSize })], { parameter, label: `with ${parameter}` })
  const open = unknown('x', AT)
  const rules = (...cases: Model[]) => check(cases).map(({ rule }) => rule)
  t.strictSame(rules(sizeIn('A', open), sizeIn('A', open), sizeIn('B', known(1))), [])
  t.strictSame(rules(sizeIn('A', open), sizeIn('A', known(1)), sizeIn('B', open)), ['not-checked'])
  const [unresolved, wrong] = [sizeIn('A', open), known(TOO_BIG, AT)]
  t.strictSame(rules(unresolved, sizeIn('B', wrong)), ['batch-size'])
  t.notMatch(check([unresolved, sizeIn('B', wrong)])[0]?.message, /Also not checked/)
  t.strictSame(rules(sizeIn('A', wrong), sizeIn('B', known(1))), ['batch-size'])
  t.strictSame(rules(unresolved, sizeIn('A', wrong), sizeIn('B', known(1))), ['batch-size'])
  t.end()
})

test('a rule whose severity differs between the cases: the finding shows the cases with the higher one', (t) => {
  const setting = known(false, AT)
  const [reports, throws] = ['batchItemFailures', 'throw'].map((inline) => {
    return modelOf([mappingOf({ reportBatchItemFailures: setting, function: functionOf({ code: { inline } }) })])
  })
  const cases = [
    { ...throws, label: 'with a' },
    { ...reports, label: 'with b' },
  ] as Model[]
  const off = 'ReportBatchItemFailures is off, but the function can report failures'
  const why = 'Lambda ignores the failures that the function reports, and deletes those messages'
  t.strictSame(
    check(cases).map(({ severity, message }) => [severity, message]),
    [['error', `${off}: batchItemFailures in the code in the template. ${why}. This is so with b.`]],
  )
  t.end()
})

test('one setting breaks two rules: one finding, with the problem of the first rule only', (t) => {
  const queue = queueOf({ fifo: known(true) })
  const mapping = mappingOf({
    batchSize: known(TOO_BIG, AT),
    queue: { ...queue, redrive: absent, isDeadLetterQueue: true },
  })
  const [{ finding, scopes } = {}, ...more] = detect([modelOf([mapping])])
  t.strictSame(more, [])
  t.equal(finding?.rule, 'fifo-batch-size')
  const scope = ['Orders', 'Orders', 'Handler', 'Queue']
  t.strictSame(scopes, [scope, scope], 'both problems must be accepted')
  t.end()
})

test('one setting breaks two rules in one of two cases: the finding says in which it breaks the first rule', (t) => {
  const queue = queueOf({ fifo: known(true), redrive: absent, isDeadLetterQueue: true })
  const ofFifo = mappingOf({ batchSize: known(TOO_BIG, AT), queue })
  const [finding, ...more] = check([modelOf([ofFifo], { label: 'with a' }), sized('with b', TOO_BIG)])
  t.strictSame(more, [])
  t.equal(finding?.rule, 'fifo-batch-size')
  t.match(finding?.message, / This is so with a\.$/)
  t.end()
})

test('an acceptance of what is wrong does not need what was not checked at the same place', (t) => {
  const open = { ...unknown('x'), id: 'added by a macro' }
  const [{ finding, scopes } = {}, ...more] = detect([
    modelOf([
      mappingOf({ reportBatchItemFailures: open, queue: queueOf({ redrive: absent, isDeadLetterQueue: true }) }),
      mappingOf({
        id: 'Others',
        batchSize: open,
        function: functionOf({ id: 'Other' }),
        queue: queueOf({ id: 'Second', redrive: absent, isDeadLetterQueue: true }),
      }),
    ]),
  ])
  t.strictSame(more, [])
  t.equal(finding?.rule, 'report-batch-item-failures')
  t.notMatch(finding?.message, 'It applies to')
  t.strictSame(scopes, [['Orders', 'Orders', 'Handler', 'Queue']])
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
    batchSize: known(TOO_BIG),
  })
  const third = mappingOf({ id: 'Third', batchSize: known(TOO_BIG), queue: queueOf({ id: 'Thirds' }) })
  t.strictSame(ids(check(modelOf([one, other, third]))), [
    'report-batch-item-failures Other',
    'batch-size Other',
    'batch-size Third',
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

test('the same problem without a place in two cases is one finding', (t) => {
  const queue = queueOf({ redrive: { state: 'absent' } })
  const found = check([modelOf([mappingOf({ queue })]), modelOf([mappingOf({ queue })])])
  t.strictSame(ids(found), ['no-redrive-policy Queue'])
  t.end()
})

test('what is not known for two reasons is two findings', (t) => {
  const mapping = (id: string, reason: string) => mappingOf({ id, batchSize: unknown(reason) })
  const found = check([modelOf([mapping('Orders', 'x')]), modelOf([mapping('Orders', 'y')])])
  t.strictSame(ids(found), ['not-checked Orders', 'not-checked Orders'])
  t.end()
})

test('a macro makes several settings unknown: the warning also names those that are not checked', (t) => {
  const mapping = mappingOf({ reportBatchItemFailures: unknown('x', AT), batchSize: unknown('x', AT) })
  const window = unknown('y', AT)
  const [finding, ...more] = check(modelOf([{ ...mapping, window, queue: queueOf({ id: 'Q' }) }, mapping]))
  t.strictSame(more, [])
  t.equal(finding?.rule, 'report-batch-item-failures')
  t.match(finding?.message, /^It is not known whether ReportBatchItemFailures is on: x\. /)
  t.match(finding?.message, /messages\. Also not checked: BatchSize, MaximumBatchingWindowInSeconds\.$/)
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
    const [finding] = check(modelOf([mapping], file === undefined ? {} : { file }))
    return [finding?.file, finding?.line]
  }
  const size = (position?: Setting<number>['position']) =>
    mappingOf({ position: BELOW, batchSize: known(TOO_BIG, position) })
  t.strictSame(place(size(AT), 'a.yaml'), ['a.yaml', 5])
  t.strictSame(place(size(), 'a.yaml'), ['a.yaml', 6])
  t.strictSame(place(size({ ...AT, file: 'b.yaml' }), 'a.yaml'), ['b.yaml', 5])
  t.strictSame(place(mappingOf({ batchSize: known(TOO_BIG) }), 'a.yaml'), ['a.yaml', 1])
  t.strictSame(place(size(AT)), [undefined, undefined])
  t.end()
})

test('a finding without a file has no file and no line', (t) => {
  const [finding] = check(modelOf([mappingOf({ batchSize: known(TOO_BIG) })]))
  t.strictSame(finding, {
    rule: 'batch-size',
    severity: 'error',
    resource: 'Orders',
    message: `The batch size is 10,001. ${WHY}`,
    fix: 'Set BatchSize to at most 10,000.',
    set: 'BatchSize: 10000',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html',
    help: 'docs/doctor-rules.md#batch-size',
  })
  t.end()
})

test('a queue that SAM makes: the fix is to declare it, and no value is suggested', (t) => {
  const queue = queueOf({ isMadeBySam: true, visibilityTimeout: known(1) })
  const [finding] = check(modelOf([mappingOf({ queue, function: functionOf({ timeout: known(30) }) })]))
  t.equal(finding?.rule, 'visibility-below-timeout')
  t.equal(
    finding?.fix,
    'SAM cannot set it for SqsSubscription. Declare the queue, its subscription, and an event of Type: SQS instead.',
  )
  t.notOk('set' in (finding ?? {}))
  t.end()
})

test('the resources for which a finding can be accepted, in each input', (t) => {
  const aliasOf = functionOf({ id: 'F' })
  const mapping = mappingOf({
    function: functionOf({ id: 'F:live', aliasOf }),
    batchSize: { ...known(TOO_BIG), section: 'Globals' },
  })
  const scopes = (more: Partial<Model> = {}, of = mapping) => detect([modelOf([of], more)]).map((one) => one.scopes)
  const own = ['Orders', 'Globals', 'Orders', 'F:live', 'F', 'Queue']
  t.strictSame(scopes(), [[own]])
  const constructOf = (id: string) => (id === 'Globals' ? undefined : `Shop/${id}`)
  t.strictSame(scopes({ constructOf }), [
    [[...own, 'Shop/Orders', 'Shop/Orders', 'Shop/F:live', 'Shop/F', 'Shop/Queue']],
  ])
  t.strictSame(scopes(undefined, mappingOf({ batchSize: known(TOO_BIG) })), [
    [['Orders', 'Orders', 'Handler', 'Queue']],
  ])
  t.strictSame(
    detect([modelOf([], { unreadResources: [{ id: 'A', unreadReason: 'x' }] })]).map((one) => one.scopes),
    [[['A']]],
  )
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
  const other = mappingOf({ id: 'Other', function: functionOf({ id: 'G' }), queue, batchSize: known(TOO_BIG) })
  const found = (otherReaders: Mapping[]) => ids(check(modelOf([mappingOf({ queue })], { otherReaders })))
  t.strictSame(found([other]), ['shared-queue Queue'])
  t.strictSame(found([{ ...other, queue: queueOf({ id: 'Others' }) }]), [])
  t.end()
})

test('a value that AWS rejects is not listed as not checked', (t) => {
  const batchSize = invalid('it is wrong', 'Correct it.', AT)
  t.strictSame(
    check(modelOf([mappingOf({ batchSize })])).map(({ message }) => message),
    ['BatchSize: it is wrong. AWS rejects this value. Checks that depend on it were skipped.'],
  )
  t.end()
})

test('what could not be checked: what it is, and a page of AWS', (t) => {
  t.strictSame(NOT_CHECKED, {
    id: 'not-checked',
    severity: 'info',
    why: '',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html',
  })
  t.end()
})

test('nested stacks that are not read are one finding', async (t) => {
  const stack = { Type: 'AWS::CloudFormation::Stack', Properties: {} }
  const findings = await findingsIn(t, cloudFormation({ resources: { One: stack, Two: stack } }))
  t.strictSame(
    findings.map(({ rule, resource, message }) => [rule, resource, message]),
    [
      [
        'not-checked',
        'One',
        'Not checked: this item. Reason: its resources are in a separate template. It applies to One, Two.',
      ],
    ],
  )
})
