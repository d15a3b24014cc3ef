import middy from '@middy/core'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { testContext } from '../support/handlers.ts'

t.test('a second .use() on one handler is a TypeError', async (t) => {
  const shared = boundedSqsBatch({ logger: false })
  for (const second of [shared, boundedSqsBatch({ logger: false })]) {
    let started = 0
    const handler = middy()
      .use(shared)
      .use(second)
      .handler(eachRecord(() => started++))
    const result = handler(standardEvent('a'), testContext())
    await t.rejects(result, { name: 'TypeError', message: /is used twice/ })
    t.equal(started, 0)
  }
})
