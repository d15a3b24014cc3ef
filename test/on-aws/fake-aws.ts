import type { Aws } from './aws.ts'

/** An AWS whose calls succeed and do nothing, except for those in `calls`. `called` receives the name of each call. */
export function fakeAws(called: string[], calls: Partial<Aws> = {}): Aws {
  const all: Aws = {
    region: async () => 'eu-west-1',
    account: async () => '123456789012',
    otherHosts: () => [],
    freeConcurrency: async () => 1000,
    createStack: async () => {},
    waitUntilCreated: async () => {},
    failuresOf: async () => [],
    resourcesOf: async () => new Map(),
    stacks: async () => [],
    deleteStack: async () => {},
    upload: async () => {},
    reserve: async () => {},
    invoke: async () => ({}),
    enableMapping: async () => {},
    send: async () => {},
    drain: async () => [],
    logLines: async () => [],
    mappingMetric: async () => 0,
    throttles: async () => 0,
    hasAlarmed: async () => false,
    ...calls,
  }
  const noted = Object.entries(all).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      called.push(name)
      return (call as (...args: unknown[]) => unknown)(...args)
    },
  ])
  return Object.fromEntries(noted)
}
