import type { Test } from 'tap'

/** Sets environment variables until the test ends. `undefined` removes one. */
export function withEnvironment(t: Test, variables: Record<string, string | undefined>): void {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
  setEnvironment(variables)
  t.teardown(() => setEnvironment(before))
}

function setEnvironment(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
