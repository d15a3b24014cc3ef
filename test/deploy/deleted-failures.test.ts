import { compileFunction } from 'node:vm'
import t from 'tap'
import { seededRandom } from '../../cli/src/shared/random.ts'
import { alarmsOf, metricsOf, type Properties, samTemplate, withDefaults, written } from '../support/templates.ts'

// DeletedFailuresAlarm is inferred from AWS's description of the metrics. These tests evaluate the expression and the
// settings of the template over made-up data. templates.test.ts checks that the CDK template has the same.
const template = withDefaults(samTemplate())
const ALARM = alarmsOf(template).DeletedFailuresAlarm as Properties

interface Batch {
  /** The minutes, with fractions, at which its invocation starts and ends. */
  readonly start: number
  readonly end: number
  readonly records: number
  /** How many records the response reports. `undefined`: the invocation fails. */
  readonly reported: number | undefined
}

interface Mapping {
  readonly queue: string
  readonly uuid: string
  /** Whether `ReportBatchItemFailures` is on. */
  readonly isOn: boolean
  readonly batches: readonly Batch[]
}

const orders = { queue: 'arn:aws:sqs:eu-west-1:123456789012:orders', uuid: 'uuid-of-orders' }
const refunds = { queue: 'arn:aws:sqs:eu-west-1:123456789012:refunds', uuid: 'uuid-of-refunds' }

/** What AWS does not say. */
interface Unknowns {
  /** The time of InvokedEventCount: the start or the end of the invocation. */
  readonly invokedAt: 'start' | 'end'
  /** Which messages FailedInvokeEventCount counts if the response reports some: these, or the whole batch. */
  readonly failed: 'reported' | 'records'
  /** Whether FailedInvokeEventCount includes the messages of an invocation that threw or timed out. */
  readonly countsErrors: boolean
  /** How many minutes later than the function's metrics those of Lambda arrive. */
  readonly delay: number
  /** What a metric without data is in an expression: nothing (the result is nothing, too) or 0. */
  readonly missing: number
}

const UNKNOWNS: Unknowns[] = (['start', 'end'] as const).flatMap((invokedAt) =>
  (['reported', 'records'] as const).flatMap((failed) =>
    [false, true].flatMap((countsErrors) =>
      [0, 2].flatMap((delay) =>
        [Number.NaN, 0].map((missing) => ({ invokedAt, failed, countsErrors, delay, missing })),
      ),
    ),
  ),
)

/** For each metric with its dimensions, the sum of each minute that has data. */
type Data = Map<string, number[]>

/** The data that Lambda and the function publish. */
function dataOf(mappings: readonly Mapping[], { invokedAt, failed, countsErrors }: Unknowns): Data {
  const data: Data = new Map()
  function add(metric: string, time: number, value: number) {
    const minutes = data.get(metric) ?? []
    data.set(metric, minutes)
    minutes[Math.floor(time)] = (minutes[Math.floor(time)] ?? 0) + value
  }
  for (const { queue, uuid, isOn, batches } of mappings) {
    const lambda = (name: string) => `AWS/Lambda ${name} EventSourceMappingUUID ${uuid}`
    for (const { [invokedAt]: invoked, end, records, reported } of batches) {
      add(lambda('InvokedEventCount'), invoked, records)
      const afterEnd = end + 0.5 / 60
      if (reported === undefined) {
        if (countsErrors) add(lambda('FailedInvokeEventCount'), afterEnd, records)
        continue
      }
      add(`shop reported queue ${queue} service orders`, end, reported)
      add('shop reported service orders', end, reported)
      if (isOn && reported > 0) add(lambda('FailedInvokeEventCount'), afterEnd, { reported, records }[failed])
      // Lambda deletes ten messages in each call, so this takes some seconds.
      add(lambda('DeletedEventCount'), end + 5 / 60, isOn ? records - reported : records)
    }
  }
  return data
}

/** Metric math has the operators of JavaScript, and functions. */
const FUNCTIONS = {
  IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
  FILL: (value: number, filler: number) => (Number.isNaN(value) ? filler : value),
}

/** The minutes at which the alarm of a mapping is in the state ALARM. The window of CloudWatch slides: it ends at each minute. */
function alarmMinutes(alarm: Properties, { queue, uuid }: typeof orders, data: Data, unknowns: Unknowns): number[] {
  const values = new Map([
    [`\${Queue.Arn}`, queue],
    [`\${FunctionQueue}`, uuid],
  ])
  const metrics = metricsOf(alarm).map(({ Id, Namespace, MetricName, Dimensions, Statistic, Period }) => {
    if (Statistic !== 'Sum') throw new Error(`Expected the statistic Sum, got ${Statistic}`)
    const dimensions = Dimensions.flatMap(({ Name, Value }: Properties) => [Name, written(template, Value)])
    const metric = [Namespace, MetricName, ...dimensions.map((part: string) => values.get(part) ?? part)].join(' ')
    return { Id, minutes: Period / 60, sums: data.get(metric) ?? [], delay: Namespace === 'shop' ? 0 : unknowns.delay }
  })
  const period = metrics[0]?.minutes as number
  const parameters = [...Object.keys(FUNCTIONS), ...metrics.map(({ Id }) => Id)]
  const evaluate = compileFunction(`return ${alarm.Metrics[0].Expression}`, parameters)

  /** The result for a period that ends at a minute, as far as the data has arrived. */
  function expressionAt(end: number, now: number): number {
    const sums = metrics.map(({ sums, delay }) => {
      const from = Math.max(0, end - period)
      const inPeriod = sums.slice(from, Math.max(from, Math.min(end, now - delay))).filter((sum) => sum !== undefined)
      return inPeriod.length > 0 ? inPeriod.reduce((sum, value) => sum + value, 0) : unknowns.missing
    })
    return evaluate(...Object.values(FUNCTIONS), ...sums)
  }
  function isAlarm(now: number): boolean {
    // CloudWatch also looks at some older periods, and uses them in place of those without a result.
    const ends = Array.from({ length: alarm.EvaluationPeriods + 2 }, (_, index) => now - index * period)
    const results = ends.map((end) => expressionAt(end, now)).filter((result) => !Number.isNaN(result))
    const evaluated = results.slice(0, alarm.EvaluationPeriods)
    // A period without a result does not breach the threshold.
    return evaluated.length === alarm.EvaluationPeriods && evaluated.every((result) => result > alarm.Threshold)
  }
  const last = Math.max(...[...data.values()].map(({ length }) => length)) + 6 * period
  return Array.from({ length: last }, (_, minute) => minute).filter(isAlarm)
}

/** Whether the alarm of a mapping fires, whatever AWS does not say. 'depends': it fires in some cases. */
function fires(mappings: readonly Mapping[], mapping: typeof orders = orders, alarm = ALARM) {
  const results = UNKNOWNS.map(
    (unknowns) => alarmMinutes(alarm, mapping, dataOf(mappings, unknowns), unknowns).length > 0,
  )
  if (results.every((result) => result === results[0])) return results[0] ? 'always' : 'never'
  return 'depends'
}

const on = (batches: readonly Batch[]): Mapping[] => [{ ...orders, isOn: true, batches }]
const off = (batches: readonly Batch[]): Mapping[] => [{ ...orders, isOn: false, batches }]

/** A batch of 1,000 records each minute, for 90 minutes. It takes 12 s. */
function steady(batchOf: (minute: number) => Partial<Batch>): Batch[] {
  return Array.from({ length: 90 }, (_, minute) => ({
    ...{ start: minute + 0.3, end: minute + 0.5, records: 1000, reported: 0 },
    ...batchOf(minute),
  }))
}

/** Every batch reports this number of records. */
const reporting = (reported: number) => steady(() => ({ reported }))

t.test('with ReportBatchItemFailures, the alarm does not fire, however many records fail', async (t) => {
  for (const reported of [0, 1, 20, 1000]) t.equal(fires(on(reporting(reported))), 'never', `${reported} of 1,000`)
})

t.test('without ReportBatchItemFailures, the alarm fires if more than 1 % of the records fail', async (t) => {
  for (const reported of [0, 10]) t.equal(fires(off(reporting(reported))), 'never', `${reported} of 1,000`)
  for (const reported of [11, 20, 1000]) t.equal(fires(off(reporting(reported))), 'always', `${reported} of 1,000`)
})

t.test(
  'the alarm fires within two periods after the setting is turned off, and ends after it is on again',
  async (t) => {
    // On for 40 minutes, off for 60 and on for 50.
    const batches = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({
        ...{ start: from + index + 0.3, end: from + index + 0.5, records: 1000, reported: 20 },
      }))
    const mappings = [...on([...batches(0, 40), ...batches(100, 150)]), ...off(batches(40, 100))]
    for (const unknowns of UNKNOWNS.filter(({ failed, delay }) => failed === 'reported' && delay === 0)) {
      const minutes = alarmMinutes(ALARM, orders, dataOf(mappings, unknowns), unknowns)
      // A period breaches the threshold if 8 of its 15 batches were deleted: 8 × 20 > 15 × 10.
      t.equal(minutes[0], 40 + 8 + 15)
      t.equal(minutes.at(-1), 100 + 15 - 8)
    }
  },
)

t.test('the alarm fires if messages fail in two periods in a row, not in one', async (t) => {
  const burst = (minute: number) => ({ start: minute, end: minute + 0.5, records: 1000, reported: 1000 })
  t.equal(fires(off([burst(5)])), 'never')
  t.equal(fires(off([burst(5), burst(30)])), 'always')
})

t.test('a batch, or ten at once, across the boundary of a minute does not fire the alarm', async (t) => {
  for (const count of [1, 10]) {
    for (let seconds = 0; seconds < 60; seconds++) {
      const batch = { start: 5 + seconds / 60, end: 6 + (seconds - 1) / 60, records: 1000, reported: 100 }
      t.equal(fires(on(Array.from({ length: count }, () => batch))), 'never', `${count} from second ${seconds}`)
    }
  }
})

/** The alarm with the sums of the four metrics, and without the comparison with FailedInvokeEventCount. */
const sumsOnly = {
  ...ALARM,
  Metrics: [{ ...ALARM.Metrics[0], Expression: 'reported + deleted - 1.01 * invoked' }, ...ALARM.Metrics.slice(1)],
}

t.test('the alarm does not fire while traffic ends, but the sums alone could', async (t) => {
  // Ten invocations at once, each 60 s long. The number of the slot decides when they end.
  const until = (lastMinute: (slot: number) => number) =>
    Array.from({ length: 10 }, (_, slot) =>
      Array.from({ length: lastMinute(slot) }, (_, minute) => ({
        ...{ start: minute + slot / 10, end: minute + 1 + slot / 10, records: 1000, reported: 100 },
      })),
    ).flat()
  for (const minutes of [0, 3, 15]) t.equal(fires(on(until((slot) => 60 + minutes * slot))), 'never')
  t.equal(fires(on(until((slot) => 60 + 15 * slot)), orders, sumsOnly), 'depends')
})

t.test(
  'the alarm does not fire in a day of batches at random times, but the sums alone would, or a single period',
  async (t) => {
    const random = seededRandom(1)
    const minutes = 24 * 60
    const batches = Array.from({ length: minutes }, () => {
      const start = minutes * random()
      return { start, end: start + random(), records: 20 + 980 * random(), reported: 20 * random() }
    })
    t.equal(fires(on(batches)), 'never')
    t.equal(fires(on(batches), orders, sumsOnly), 'always')
    t.equal(fires(on(batches), orders, { ...ALARM, EvaluationPeriods: 1 }), 'depends')
  },
)

t.test('invocations that fail do not fire the alarm, and can hide deleted failures until they succeed', async (t) => {
  const failing = (isFailed: (minute: number) => boolean) =>
    steady((minute) => (isFailed(minute) ? { reported: undefined, end: minute + 1 } : { reported: 100 }))
  const [all, half, atFirst, one] = [
    failing(() => true),
    failing((minute) => minute % 2 === 0),
    failing((minute) => minute < 45),
    failing((minute) => minute === 45),
  ]
  for (const batches of [all, half, atFirst, one]) t.equal(fires(on(batches)), 'never')
  t.equal(fires(off(one)), 'always')
  t.equal(fires(off(half)), 'never', 'hidden')
  t.equal(fires(off(atFirst)), 'always', 'hidden at first')
})

t.test(
  'of two mappings of one function, only the alarm of the one without ReportBatchItemFailures fires',
  async (t) => {
    const mappings = [
      { ...orders, isOn: true, batches: reporting(20) },
      { ...refunds, isOn: false, batches: reporting(300) },
    ]
    t.equal(fires(mappings, orders), 'never')
    t.equal(fires(mappings, refunds), 'always')
    const ofFunction = structuredClone(ALARM)
    const { Metric } = ofFunction.Metrics.find(({ Id }: Properties) => Id === 'reported').MetricStat
    Metric.Dimensions = Metric.Dimensions.filter(({ Name }: Properties) => Name !== 'queue')
    t.equal(fires(mappings, orders, ofFunction), 'depends', 'without the queue in the dimensions, it could')
  },
)
