import t from 'tap'
import { sourcesOf } from '../support/bundle.ts'

t.test('a bundle of the main entry contains no file of src/testing/', async (t) => {
  const sources = await sourcesOf(`export * from '../../src/index.ts'`)
  t.ok(sources.includes('src/middleware.ts'))
  t.strictSame(
    sources.filter((file) => file.startsWith('src/testing/')),
    [],
  )
})

t.test('a bundle of the entry for tests contains only its own files and three shared ones', async (t) => {
  t.strictSame((await sourcesOf(`export * from '../../src/testing/index.ts'`)).sort(), [
    'src/shared/check.ts',
    'src/shared/describe.ts',
    'src/shared/timers.ts',
    'src/testing/context.ts',
    'src/testing/event.ts',
    'src/testing/invoke.ts',
  ])
})

t.test('a bundle of sqsContext() does not contain the other functions for tests', async (t) => {
  t.strictSame((await sourcesOf(`export { sqsContext } from '../../src/testing/index.ts'`)).sort(), [
    'src/shared/check.ts',
    'src/shared/describe.ts',
    'src/testing/context.ts',
  ])
})
