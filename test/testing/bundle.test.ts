import t from 'tap'
import { sourcesOf } from '../support/bundle.ts'

t.test('the main entry contains nothing of the entry for tests', async (t) => {
  const sources = await sourcesOf(`export * from '../../src/index.ts'`)
  t.ok(sources.includes('src/middleware.ts'))
  t.strictSame(
    sources.filter((file) => file.startsWith('src/testing/')),
    [],
  )
})

t.test('the entry for tests contains nothing of the middleware', async (t) => {
  t.strictSame((await sourcesOf(`export * from '../../src/testing/index.ts'`)).sort(), [
    'src/check.ts',
    'src/describe.ts',
    'src/testing/context.ts',
    'src/testing/event.ts',
    'src/testing/invoke.ts',
    'src/timers.ts',
  ])
})

t.test('who uses one function of it bundles no other', async (t) => {
  t.strictSame((await sourcesOf(`export { sqsContext } from '../../src/testing/index.ts'`)).sort(), [
    'src/check.ts',
    'src/describe.ts',
    'src/testing/context.ts',
  ])
})
