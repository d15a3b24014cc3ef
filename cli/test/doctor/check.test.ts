// How the problems of several mappings, cases and rules become findings, for mappings that are written as a model.
import { test } from 'tap'
import { check, detect, INCOMPLETE, NOT_CHECKED } from '../../src/doctor/check.ts'
import type { Mapping, Model, TemplateSource } from '../../src/model/model.ts'
import { unreadQueue } from '../../src/model/model.ts'
import { invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { functionOf, mappingOf, queueOf } from '../support/models.ts'
import { ids, OPTIONS } from '../support/templates.ts'

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
      check(cases, OPTIONS).map(({ rule, severity, message }) => [rule, severity, message]),
      [['batch-size', 'error', `The batch size is 10,001. ${WHY}${said}`]],
    )
    t.end()
  })
}

test('a problem that differs between the cases: the finding shows the first one, and calls it the worst', (t) => {
  const [finding, ...more] = check([sized('with a', TOO_BIG), sized('with b', 20_000)], OPTIONS)
  t.strictSame(more, [])
  t.equal(finding?.message, `The batch size is 10,001. ${WHY} The worst case is with a.`)
  t.end()
})

/** A case with a durable function, whose longest execution must be shorter than the visibility timeout. */
function durable(label: string, visibilityTimeout: number, id = 'Queue'): Model {
  const queue = queueOf({ id, visibilityTimeout: known(visibilityTimeout) })
  return modelOf([mappingOf({ function: functionOf({ executionTimeout: known(900, AT) }), queue })], { label })
}
test('a problem that is stricter in one case: the finding shows the strictest, and of equally strict ones the first', (t) => {
  const said = (...cases: Model[]) => check(cases, OPTIONS).map(({ message, fix }) => [message.split('. ').at(-1), fix])
  const fix = (seconds: number) => `Set ExecutionTimeout to at most ${seconds} s, or raise VisibilityTimeout.`
  t.strictSame(said(durable('with a', 100), durable('with b', 50), durable('with c', 70)), [
    ['The worst case is with b.', fix(50)],
  ])
  t.strictSame(said(durable('with a', 50, 'A'), durable('with b', 50, 'B')), [['The worst case is with a.', fix(50)]])
  t.end()
})

test('mappings with one setting and different texts, in one case: no sentence about cases', (t) => {
  const executionTimeout = known(900, AT)
  const mapping = (id: string, visibilityTimeout: number) => {
    const queue = queueOf({ id: `Queue${id}`, visibilityTimeout: known(visibilityTimeout) })
    return mappingOf({ id, function: functionOf({ id: `F${id}`, executionTimeout }), queue })
  }
  const [finding, ...more] = check(modelOf([mapping('A', 100), mapping('B', 50)]), OPTIONS)
  t.strictSame(more, [])
  t.match(finding?.message, /^ExecutionTimeout is 900 s, above the visibility timeout of QueueB \(50 s\)\. /)
  t.match(finding?.message, /start another execution\. It applies to FA, FB\.$/)
  t.end()
})

const UNCERTAIN =
  ' These values may exclude each other, so this is only a warning. To check one case, pass its values with --parameter.'
/** Four cases: each of two conditions is true or false. The batch size is too high in the cases that are listed. */
function conditions(...wrong: string[]): Model[] {
  return ['false false', 'false true', 'true false', 'true true'].map((values) => {
    const [one = '', other = ''] = values.split(' ')
    return sized(`with ${values}`, wrong.includes(values) ? TOO_BIG : 1, { one, other })
  })
}
for (const [title, cases, severity, said] of [
  ['both of two values', conditions('true true'), 'warning', ` This is so with true true.${UNCERTAIN}`],
  [
    'one of two values',
    conditions('false true', 'true true'),
    'error',
    ' This is so with false true, and in 1 other case.',
  ],
  [
    'either of two values',
    conditions('false true', 'true false', 'true true'),
    'warning',
    ` This is so with false true, and in 2 other cases.${UNCERTAIN}`,
  ],
  ['neither of two values', conditions('false false', 'false true', 'true false', 'true true'), 'error', ''],
  [
    'neither of two values, but on one that the template lists',
    [sized('with a', TOO_BIG, { one: '', other: '' }), sized('with b', 1, { one: '', other: '' })],
    'error',
    ' This is so with a.',
  ],
] as const) {
  test(`an error that depends on ${title}: ${severity}`, (t) => {
    t.strictSame(
      check(cases, OPTIONS).map((one) => [one.severity, one.message]),
      [[severity, `The batch size is 10,001. ${WHY}${said}`]],
    )
    t.end()
  })
}

test('a warning that depends on both of two values has no sentence about that', (t) => {
  const cases = conditions('true true').map((model) => {
    const [mapping] = model.mappings
    const runtime = known(mapping?.batchSize.state === 'known' && mapping.batchSize.value > 1 ? 'nodejs18.x' : 'x', AT)
    return { ...model, mappings: [mappingOf({ function: functionOf({ runtime }) })] }
  })
  const [finding] = check(cases, OPTIONS)
  t.match(finding, { rule: 'runtime-deprecated', severity: 'warning', message: /\. This is so with true true\.$/ })
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
    check(cases, OPTIONS).map(({ severity, message }) => [severity, message]),
    [['error', `${off}: batchItemFailures in the code in the template. ${why}. This is so with b.`]],
  )
  t.end()
})

test('one setting breaks two rules: one finding, with the problem of the first rule only', (t) => {
  const mapping = mappingOf({ batchSize: known(TOO_BIG, AT), window: known(0) })
  const [{ finding, scopes } = {}, ...more] = detect([modelOf([mapping])], OPTIONS)
  t.strictSame(more, [])
  t.equal(finding?.rule, 'batch-size')
  t.strictSame(scopes, [['Orders', 'Orders', 'Handler', 'Queue']])
  t.end()
})

test('the findings are sorted by severity, then by mapping and rule', (t) => {
  const one = mappingOf({
    id: 'One',
    queue: queueOf({ fifo: known(true) }),
    function: functionOf({ runtime: known('nodejs18.x') }),
  })
  const other = mappingOf({
    id: 'Other',
    queue: queueOf({ id: 'Others', retention: unknown('x') }),
    reportBatchItemFailures: known(false),
    batchSize: known(TOO_BIG),
  })
  const third = mappingOf({ id: 'Third', batchSize: known(TOO_BIG), queue: queueOf({ id: 'Thirds' }) })
  t.strictSame(ids(check(modelOf([one, other, third]), OPTIONS)), [
    'report-batch-item-failures Other',
    'batch-size Other',
    'batch-size Third',
    'runtime-deprecated Handler',
    'fifo-parallelism One',
    'not-checked Others',
  ])
  t.end()
})

const DEPRECATED = { ...known('nodejs18.x'), id: 'shared runtime' }
/** Mappings of different functions and queues, whose functions share the runtime. */
function shared(count: number, runtime: Setting<string> = DEPRECATED): Mapping[] {
  return Array.from({ length: count }, (_, n) =>
    mappingOf({ id: `M${n}`, function: functionOf({ id: `F${n}`, runtime }), queue: queueOf({ id: `Q${n}` }) }),
  )
}
test('a setting of several functions: the finding names them, once', (t) => {
  const ends = (mappings: readonly Mapping[]) =>
    check(modelOf(mappings), OPTIONS).map(({ resource, message }) => [resource, message.split('. ').at(-1)])
  const last = 'Later, functions that use it cannot be updated.'
  t.strictSame(ends(shared(1)), [['F0', last]])
  t.strictSame(ends(shared(2)), [['F0', 'It applies to F0, F1.']])
  t.strictSame(ends(shared(1, { ...DEPRECATED, section: 'Globals' })), [['Globals', 'It applies to F0.']])
  t.strictSame(ends([...shared(1), ...shared(1)]), [['F0', last]])
  t.end()
})

test('problems without a place or id of the setting are separate findings', (t) => {
  const policy = { redrive: { state: 'absent' } as const }
  const mappings = [
    mappingOf({ queue: queueOf(policy) }),
    mappingOf({ id: 'B', queue: queueOf({ id: 'Q', ...policy }) }),
  ]
  t.strictSame(ids(check(modelOf(mappings), OPTIONS)), ['no-redrive-policy Queue', 'no-redrive-policy Q'])
  t.end()
})

test('the same problem without a place in two cases is one finding', (t) => {
  const queue = queueOf({ redrive: { state: 'absent' } })
  const found = check([modelOf([mappingOf({ queue })]), modelOf([mappingOf({ queue })])], OPTIONS)
  t.strictSame(ids(found), ['no-redrive-policy Queue'])
  t.end()
})

test('what is not known for two reasons is two findings', (t) => {
  const mapping = (id: string, reason: string) => mappingOf({ id, batchSize: unknown(reason) })
  const found = check([modelOf([mapping('Orders', 'x')]), modelOf([mapping('Orders', 'y')])], OPTIONS)
  t.strictSame(ids(found), ['not-checked Orders', 'not-checked Orders'])
  t.end()
})

test('a macro makes several settings unknown: the warning also names those that are not checked', (t) => {
  const mapping = mappingOf({ reportBatchItemFailures: unknown('x', AT), batchSize: unknown('x', AT) })
  const window = unknown('y', AT)
  const [finding, ...more] = check(modelOf([{ ...mapping, window, queue: queueOf({ id: 'Q' }) }, mapping]), OPTIONS)
  t.strictSame(more, [])
  t.equal(finding?.rule, 'report-batch-item-failures')
  t.match(finding?.message, /^It is not known whether ReportBatchItemFailures is on: x\. /)
  t.match(finding?.message, /messages\. Also not checked: BatchSize, MaximumBatchingWindowInSeconds\.$/)
  t.end()
})

test('several settings that are not known, at one place: one finding, with the first reason', (t) => {
  const mapping = mappingOf({ batchSize: unknown('x', AT), window: unknown('y', AT) })
  t.strictSame(
    check(modelOf([mapping]), OPTIONS).map(({ message }) => message),
    ['Not checked: BatchSize, MaximumBatchingWindowInSeconds. Reason: x.'],
  )
  t.end()
})

test('the file and the line: of the setting, of the resource, of another stack, or the first line', (t) => {
  const place = (mapping: Mapping, file?: string) => {
    const [finding] = check(modelOf([mapping], file === undefined ? {} : { file }), OPTIONS)
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

test('a finding without a file and without text to paste has neither key', (t) => {
  const [finding] = check(modelOf([mappingOf({ batchSize: known(TOO_BIG) })]), OPTIONS)
  t.strictSame(finding, {
    rule: 'batch-size',
    severity: 'error',
    resource: 'Orders',
    message: `The batch size is 10,001. ${WHY}`,
    fix: 'Set BatchSize to at most 10,000.',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html',
    help: 'docs/doctor-rules.md#batch-size',
  })
  t.end()
})

const SOURCE: TemplateSource = { text: '{}', constructOf: () => undefined, typeOf: () => '' }

test('serverless.yml: the finding names the functions, and the fix has the words of serverless.yml', (t) => {
  const serverlessOf = (id: string) => (id === 'Other' ? undefined : `functions.${id}`)
  const mapping = (id: string) => mappingOf({ id, batchSize: { ...known(TOO_BIG), id: 'size' } })
  const said = (...names: string[]) =>
    check(modelOf(names.map(mapping), { source: { ...SOURCE, serverlessOf } }), OPTIONS)
      .filter(({ rule }) => rule === 'batch-size')
      .map(({ message, fix }) => [message.slice(`The batch size is 10,001. ${WHY}`.length), fix])
  t.strictSame(said('one'), [[' In serverless.yml: functions.one.', 'Set batchSize to at most 10,000.']])
  t.strictSame(said('one', 'two'), [
    [' It applies to one, two. In serverless.yml: functions.one, functions.two.', 'Set batchSize to at most 10,000.'],
  ])
  t.strictSame(said('Other'), [['', 'Set BatchSize to at most 10,000.']])
  t.end()
})

test('the resources for which a finding can be accepted, in each input', (t) => {
  const aliasOf = functionOf({ id: 'F' })
  const mapping = mappingOf({
    function: functionOf({ id: 'F:live', aliasOf }),
    batchSize: { ...known(TOO_BIG), section: 'Globals' },
  })
  const scopes = (source?: TemplateSource, of = mapping) =>
    detect([modelOf([of], source ? { source } : {})], OPTIONS).map((one) => one.scopes)
  const own = ['Orders', 'Globals', 'Orders', 'F:live', 'F', 'Queue']
  t.strictSame(scopes(), [[own]])
  t.strictSame(scopes(SOURCE), [[own]])
  const constructOf = (id: string) => (id === 'Globals' ? undefined : `Shop/${id}`)
  t.strictSame(scopes({ ...SOURCE, constructOf }), [
    [[...own, 'Shop/Orders', 'Shop/Orders', 'Shop/F:live', 'Shop/F', 'Shop/Queue']],
  ])
  const serverlessOf = (id: string) => (id === 'F' ? 'functions.f' : undefined)
  t.strictSame(scopes({ ...SOURCE, serverlessOf }), [[[...own, 'functions.f']]])
  t.strictSame(scopes(undefined, mappingOf({ batchSize: known(TOO_BIG) })), [
    [['Orders', 'Orders', 'Handler', 'Queue']],
  ])
  t.strictSame(
    detect([modelOf([], { unreadResources: [{ id: 'A', unreadReason: 'x' }] })], OPTIONS).map((one) => one.scopes),
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
  const found = (other: typeof owner) => check(modelOf([limited('A', owner), limited('B', other)]), OPTIONS)
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
    return ids(check(modelOf(mappings), OPTIONS)).filter((text) => !text.startsWith('not-checked'))
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
  const found = (otherReaders: Mapping[]) => ids(check(modelOf([mappingOf({ queue })], { otherReaders }), OPTIONS))
  t.strictSame(found([other]), ['shared-queue Queue'])
  t.strictSame(found([{ ...other, queue: queueOf({ id: 'Others' }) }]), [])
  t.end()
})

test('a part of the template that CloudFormation rejects: an error, which replaces what is not checked at its place', (t) => {
  const rejected = [
    { id: 'Ref', position: AT, reason: 'Nowhere does not exist', fix: 'Correct it.', source: 'https://x' },
  ]
  const open = (position?: typeof AT) => mappingOf({ position, batchSize: unknown('x') })
  const said = (...mappings: Mapping[]) =>
    check(modelOf(mappings, { file: 'a.yaml', rejected }), OPTIONS).map(
      ({ rule, resource, message, fix, source, line }) => {
        return rule === 'invalid-value' ? [rule, resource, message, fix, source, line] : [rule, resource]
      },
    )
  const error = [
    'invalid-value',
    'Ref',
    'Nowhere does not exist. AWS rejects this value. Checks that depend on it were skipped.',
    'Correct it.',
    'https://x',
    5,
  ]
  t.strictSame(said(open(AT)), [error])
  t.strictSame(said(open(BELOW)), [error, ['not-checked', 'Orders']])
  t.strictSame(said(open()), [error, ['not-checked', 'Orders']])
  t.end()
})

test('a value that AWS rejects is not listed as not checked', (t) => {
  const batchSize = invalid('it is wrong', 'Correct it.', AT)
  t.strictSame(
    check(modelOf([mappingOf({ batchSize })]), OPTIONS).map(({ message }) => message),
    ['BatchSize: it is wrong. AWS rejects this value. Checks that depend on it were skipped.'],
  )
  t.end()
})

test('a file that is a part of a template: a warning in its first line', (t) => {
  const undefinedNames = ['A', 'B']
  t.strictSame(check(modelOf([], { file: 'a.yaml', undefinedNames }), OPTIONS), [
    {
      rule: 'incomplete-template',
      severity: 'warning',
      resource: 'the template',
      message: `The file does not define A, B. ${INCOMPLETE.why}`,
      fix: 'Check the complete template. If this is the complete template, cfn-lint lists each name.',
      source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html',
      help: 'docs/doctor-rules.md#incomplete-template',
      file: 'a.yaml',
      line: 1,
    },
  ])
  t.strictSame(check(modelOf([], { undefinedNames: [] }), OPTIONS), [])
  t.strictSame(check([], OPTIONS), [])
  t.end()
})

test('what could not be checked, and an incomplete template, say what they are, why, and name a page of AWS', (t) => {
  t.strictSame(NOT_CHECKED, {
    id: 'not-checked',
    severity: 'info',
    finds: 'What could not be checked, and why.',
    why: '',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html',
  })
  t.match(INCOMPLETE.finds, /^The file has no parameters, .*\.$/)
  t.match(INCOMPLETE.why, /^The file seems to be part of a template .*\.$/)
  t.end()
})
