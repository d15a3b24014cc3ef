// Hostile values, and hostile behaviour of handlers, loggers and contexts. A failing random test prints their names.
import {
  FullBatchFailureError,
  InvalidSqsEventError,
  RecordBlockedError,
  RecordNotStartedError,
} from '../../src/index.ts'

function trap(): never {
  throw new Error('trap')
}

/** Makes the properties with these names throw when they are read. */
export function throwingOn<T extends object>(target: T, ...keys: PropertyKey[]): T {
  for (const key of keys) Object.defineProperty(target, key, { get: trap, enumerable: true })
  return target
}

export function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** A proxy that throws at every operation. */
export function trapped(target: object = {}): object {
  return new Proxy<object>(target, new Proxy({}, { get: trap }))
}

/** A proxy of a list that claims to have this length. */
export function withLength(list: object, length: unknown): unknown[] {
  return new Proxy(list, {
    get: (list, key, proxy) => (key === 'length' ? length : Reflect.get(list, key, proxy)),
  }) as unknown[]
}

export function lookUp<T>(catalogue: Record<string, T>, name: string): T {
  return catalogue[name] as T
}

export const THROWN: Record<string, () => unknown> = {
  error: () => new Error('an error'),
  undefined: () => undefined,
  null: () => null,
  NaN: () => NaN,
  text: () => 'text',
  'huge text': () => 'x'.repeat(100_000),
  symbol: () => Symbol('s'),
  bigint: () => 1n,
  function: () => trap,
  'null prototype': () => Object.create(null),
  revoked: () => revoked(),
  'revoked error': () => revoked(new Error('revoked')),
  trapped: () => trapped(),
  'trapped function': () => trapped(trap),
  'message throws': () => throwingOn(new Error('x'), 'message'),
  'name throws': () => throwingOn(new Error('x'), 'name'),
  'stack throws': () => throwingOn(new Error('x'), 'stack'),
  'then throws': () => throwingOn(new Error('x'), 'then'),
  'cause throws': () => throwingOn(new Error('x'), 'cause'),
  'conversion throws': () =>
    throwingOn({}, 'toString', 'valueOf', Symbol.toPrimitive, Symbol.toStringTag, 'constructor'),
  'fields of other kinds': () => ({ name: 5, message: {}, stack: [], code: Symbol('c') }),
  'huge fields': () => ({ name: 'n'.repeat(99_999), message: '1.'.repeat(99_999), stack: '\n  at x'.repeat(99_999) }),
  'cause of itself': () => {
    const error = new Error('circular')
    error.cause = error
    return error
  },
  frozen: () => Object.freeze(new Error('frozen')),
  thenable: () => ({ then: trap }),
  blocked: () => new RecordBlockedError({}),
  'not started': () => new RecordNotStartedError('by a handler'),
  'invalid event': () => new InvalidSqsEventError('by a handler'),
  'full batch': () => new FullBatchFailureError([], 'by a handler'),
}

type Callback = (value?: unknown) => void
function thenable(then: (resolve: Callback, reject: Callback) => unknown) {
  return { then }
}

function soon() {
  return new Promise((resolve) => process.nextTick(resolve))
}

/** What a handler does, and the outcome of its record. */
export interface Behaviour {
  readonly outcome: 'succeeds' | 'fails' | 'hangs'
  run(thrown: () => unknown, options: { readonly signal: AbortSignal }): unknown
}

function each(outcome: Behaviour['outcome'], runs: Record<string, Behaviour['run']>): Record<string, Behaviour> {
  return Object.fromEntries(Object.entries(runs).map(([name, run]) => [name, { outcome, run }]))
}

function aborted({ signal }: { readonly signal: AbortSignal }) {
  return new Promise((resolve) => signal.addEventListener('abort', resolve))
}

export const BEHAVIOURS: Record<string, Behaviour> = {
  ...each('succeeds', {
    'returns nothing': () => {},
    'returns null': () => null,
    'returns an error': () => new Error('returned'),
    'returns a function': () => trap,
    'returns a transparent proxy': () => new Proxy({}, {}),
    'returns what throws elsewhere': () => throwingOn({}, 'message', 'constructor', 'toString', 'catch', 'finally'),
    'returns a then that is not a function': () => ({ then: 'none' }),
    'returns later': soon,
    'is async': async () => {},
    'resolves thenable': () => thenable((resolve) => resolve(1)),
    'resolves thenable twice': () => thenable((resolve) => [resolve(1), resolve(2)]),
    'resolves thenable, then rejects it': (thrown) => thenable((resolve, reject) => [resolve(1), reject(thrown())]),
    'resolves thenable, then throws': (thrown) =>
      thenable((resolve) => {
        resolve(1)
        throw thrown()
      }),
    'resolves thenable later and twice': () => thenable((resolve) => void soon().then(() => [resolve(), resolve()])),
    'resolves thenable with another': () => thenable((resolve) => resolve(thenable((resolve) => resolve(1)))),
    'resolves function with a then': () =>
      Object.assign(
        () => {},
        thenable((resolve) => resolve(1)),
      ),
    'resolves promise with a then of its own': () => Object.assign(Promise.resolve(), { then: trap }),
    'resolves promise of a subclass': () => new (class extends Promise<void> {})((resolve) => resolve()),
  }),
  ...each('fails', {
    throws: (thrown) => {
      throw thrown()
    },
    rejects: (thrown) => Promise.reject(thrown()),
    'rejects later': (thrown) => soon().then(() => Promise.reject(thrown())),
    'rejects with a then of its own': (thrown) => Object.assign(Promise.reject(thrown()), { then() {} }),
    'rejects thenable': (thrown) => thenable((_resolve, reject) => reject(thrown())),
    'rejects thenable twice': (thrown) => thenable((_resolve, reject) => [reject(thrown()), reject(thrown())]),
    'rejects thenable, then resolves it': (thrown) => thenable((resolve, reject) => [reject(thrown()), resolve(1)]),
    'resolves thenable with a rejection': (thrown) => thenable((resolve) => resolve(Promise.reject(thrown()))),
    'throws in then': (thrown) =>
      thenable(() => {
        throw thrown()
      }),
    'returns a then that throws': () => throwingOn({}, 'then'),
    'returns a revoked proxy': () => revoked(),
    'returns a revoked promise': () => revoked(Promise.resolve()),
    'returns a trapped proxy': () => trapped(),
    'returns a promise whose constructor throws': () => throwingOn(Promise.resolve(), 'constructor'),
    'resolves with a trapped proxy': async () => trapped(),
  }),
  ...each('hangs', {
    hangs: () => new Promise(() => {}),
    'hangs as a thenable': () => thenable(() => {}),
    'rejects at its abort': (thrown, options) => aborted(options).then(() => Promise.reject(thrown())),
    'resolves after its abort': (_thrown, options) => aborted(options).then(soon),
    'rejects long after its abort': (thrown, options) =>
      aborted(options).then(async () => {
        for (let wait = 0; wait < 5; wait++) await soon()
        throw thrown()
      }),
  }),
}

/** The name of the context of a durable execution, which is refused. */
export const DURABLE = 'durable'

/** Contexts. Middy also reads the remaining time: `mayCut` says whether it may end the invocation early. */
export const CONTEXTS: Record<string, { readonly mayCut: boolean; make(): object }> = {
  'no clock': { mayCut: false, make: () => ({}) },
  'null prototype': { mayCut: false, make: () => Object.create(null) },
  frozen: { mayCut: false, make: () => Object.freeze({}) },
  [DURABLE]: { mayCut: false, make: () => ({ lambdaContext: {}, executionContext: {} }) },
  'durable in part': { mayCut: false, make: () => ({ lambdaContext: {} }) },
  'durable but unreadable': {
    mayCut: false,
    make: () => throwingOn({ lambdaContext: {} }, 'executionContext', 'step'),
  },
  ...Object.fromEntries(
    Object.entries<unknown>({
      throws: trap,
      'is negative': () => -1,
      'is 0': () => 0,
      'is NaN': () => NaN,
      'is -Infinity': () => -Infinity,
      'is a text': () => '1000',
      'is a bigint': () => 1000n,
      'is a symbol': () => Symbol('s'),
      'is undefined': () => undefined,
      'is a promise': () => Promise.resolve(1000),
      'is a trapped proxy': () => trapped(),
      'is no function': 5,
      'is a trapped function': trapped(trap),
    }).map(([name, getRemainingTimeInMillis]) => [
      `time left ${name}`,
      { mayCut: true, make: () => ({ getRemainingTimeInMillis }) },
    ]),
  ),
}

/** Contexts whose first remaining time is 1,000 ms. */
export const TIMED_CONTEXTS: Record<string, () => object> = {
  steady: () => {
    const end = performance.now() + 1000
    return { getRemainingTimeInMillis: () => end - performance.now() }
  },
  changing: () => {
    const times: unknown[] = [1000, NaN, -5, '7', 1e12]
    return { getRemainingTimeInMillis: () => (times.length > 1 ? times.shift() : times[0]) }
  },
  'throws from the second time on': () => {
    let calls = 0
    return { getRemainingTimeInMillis: () => (calls++ === 0 ? 1000 : trap()) }
  },
}

/** What a logger does after it has been called. */
export const LOGGERS: Record<string, (thrown: () => unknown) => unknown> = {
  'returns nothing': () => {},
  throws: (thrown) => {
    throw thrown()
  },
  rejects: async (thrown) => {
    throw thrown()
  },
  'rejects thenable': (thrown) => thenable((_resolve, reject) => [reject(thrown()), reject(thrown())]),
  'never settles': () => new Promise(() => {}),
  'returns a revoked proxy': () => revoked(),
  'returns a then that throws': () => throwingOn({}, 'then'),
}

/** Wrappers of a returned value, and whether the value can be read through them. */
export const WRAPPERS: Record<string, [isReadable: boolean, wrap: (value: unknown) => unknown]> = {
  none: [true, (value) => value],
  frozen: [true, (value) => Object.freeze(value)],
  proxy: [true, (value) => (Object(value) === value ? new Proxy(value as object, {}) : value)],
  trapped: [false, (value) => (Object(value) === value ? trapped(value as object) : value)],
}
