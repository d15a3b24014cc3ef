import { test } from 'tap'
import { type LambdaFunction, otherVersion, provisionedOf, unreadFunction } from '../../src/model/model.ts'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { mappingOf } from '../support/models.ts'

const position = { line: 3, column: 5 }

test('an alias or a version with other settings shares the reserved concurrency of its function', async (t) => {
  const aliasOf: LambdaFunction = { ...unreadFunction('handler', ''), reservedConcurrency: known(7) }
  t.strictSame(otherVersion('a', aliasOf, position), {
    ...unreadFunction('a', 'its versions may have other settings than handler', position),
    aliasOf,
    reservedConcurrency: known(7),
  })
})

test('a mapping is in provisioned mode if it has a number of pollers, even one that AWS rejects', async (t) => {
  const provisioned = (minimumPollers: Setting<number>, maximumPollers: Setting<number> = absent) =>
    provisionedOf(mappingOf({ minimumPollers, maximumPollers }))
  t.strictSame(provisioned(absent), known(false))
  for (const pollers of [known(2), invalid('why', 'how')]) {
    t.strictSame(provisioned(pollers), known(true))
    t.strictSame(provisioned(unknown('why'), pollers), known(true))
  }
  t.strictSame(provisioned(unknown('why')), unknown('why'))
  t.strictSame(provisioned(absent, unknown('why')), unknown('why'))
})
