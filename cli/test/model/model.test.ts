import { test } from 'tap'
import { type LambdaFunction, otherVersion, unreadFunction } from '../../src/model/model.ts'
import { known } from '../../src/model/setting.ts'

const position = { line: 3, column: 5 }

test('an alias or a version with other settings shares the reserved concurrency of its function', async (t) => {
  const aliasOf: LambdaFunction = { ...unreadFunction('handler', ''), reservedConcurrency: known(7) }
  t.strictSame(otherVersion('a', aliasOf, position), {
    ...unreadFunction('a', 'its versions may have other settings than handler', position),
    aliasOf,
    reservedConcurrency: known(7),
  })
})
