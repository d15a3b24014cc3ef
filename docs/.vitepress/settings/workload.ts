/** What a reader enters on the page "Which settings?", and how an address holds it. */

/** What limits the calls to the downstream, such as a database or the API of a partner. */
export type LimitKind = 'none' | 'calls at once' | 'calls per second'
export const LIMIT_KINDS: readonly LimitKind[] = ['none', 'calls at once', 'calls per second']

interface Field {
  readonly label: string
  readonly min: number
  readonly max: number
  /** Whether only whole numbers make sense. */
  readonly isWhole?: true
  readonly initial: number
}

/** The fields of the form, by their name in an address. */
export const FIELDS = {
  rate: { label: 'Messages per second', min: 0.01, max: 100_000, initial: 100 },
  p50: { label: 'Duration, p50, ms', min: 1, max: 600_000, initial: 80 },
  p95: { label: 'Duration, p95, ms', min: 1, max: 600_000, initial: 250 },
  body: { label: 'Body, bytes', min: 1, max: 1_048_576, isWhole: true, initial: 500 },
  timeout: { label: 'Timeout, s', min: 1, max: 900, isWhole: true, initial: 60 },
  limit: { label: 'Limit of the downstream', min: 1, max: 100_000, isWhole: true, initial: 20 },
  cpu: { label: 'CPU time, ms', min: 0, max: 60_000, initial: 0.58 },
  backlog: { label: 'Waiting messages', min: 1, max: 1_000_000_000, isWhole: true, initial: 100_000 },
} satisfies Record<string, Field>

export type FieldName = keyof typeof FIELDS

/** Durations are in milliseconds, the timeout is in seconds. */
export type Workload = Readonly<Record<FieldName, number>> & { readonly limitKind: LimitKind }

const initialValues = Object.entries(FIELDS).map(([name, { initial }]) => [name, initial])
export const INITIAL: Workload = { ...Object.fromEntries(initialValues), limitKind: 'none' }

/** What is wrong with a field, or undefined. */
export function problemOf(name: FieldName, workload: Workload): string | undefined {
  const { min, max, isWhole }: Field = FIELDS[name]
  const value = workload[name]
  if (name === 'limit' && workload.limitKind === 'none') return undefined
  const isNumber = isWhole ? Number.isInteger(value) : Number.isFinite(value)
  if (!(isNumber && value >= min && value <= max)) {
    return `Enter a ${isWhole ? 'whole ' : ''}number from ${min} to ${max.toLocaleString('en-US')}.`
  }
  if (name === 'p95' && value < workload.p50) return 'Enter at least the p50.'
  return undefined
}

export const isValid = (workload: Workload) =>
  Object.keys(FIELDS).every((name) => problemOf(name as FieldName, workload) === undefined)

/** The address of a result, such as `?rate=100&p50=80`. It has only what differs from the initial values. */
export function toQuery(workload: Workload): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(workload)) {
    if (value !== INITIAL[name as FieldName]) query.set(name, String(value))
  }
  return `?${query}`
}

/** The workload of an address. Missing, unknown and invalid values become the initial ones. */
export function fromQuery(query: string): Workload {
  const params = new URLSearchParams(query)
  const limitKind = LIMIT_KINDS.find((kind) => kind === params.get('limitKind')) ?? INITIAL.limitKind
  const workload = { ...INITIAL, limitKind }
  for (const name of Object.keys(FIELDS) as FieldName[]) workload[name] = Number(params.get(name) ?? INITIAL[name])
  return isValid(workload) ? workload : INITIAL
}

/** Six typical cases, for readers without JavaScript, and to start from. */
export const CASES: readonly { readonly name: string; readonly workload: Workload }[] = [
  { name: 'Calls an API for each order', workload: INITIAL },
  { name: 'The same, but few messages', workload: { ...INITIAL, rate: 1 } },
  { name: 'Writes events to DynamoDB', workload: { ...INITIAL, rate: 2000, p50: 8, p95: 30 } },
  {
    name: 'A partner allows 14 calls per second',
    workload: { ...INITIAL, rate: 10, p50: 500, p95: 2000, limitKind: 'calls per second', limit: 14 },
  },
  {
    name: 'A service takes 20 calls at once',
    workload: { ...INITIAL, rate: 200, p50: 15, p95: 60, limitKind: 'calls at once', limit: 20 },
  },
  { name: 'Asks a language model', workload: { ...INITIAL, rate: 5, p50: 4000, p95: 20_000, body: 20_000 } },
]
