import t from 'tap'
import { DELIVERIES } from './deliveries.ts'
import { imitateAws } from './imitation.ts'
import { run } from './run.ts'

t.test('what isolateCrashes() and retryBackoff() assume is observed on `local` and fauxqs', async (t) => {
  const { aws } = await imitateAws(t)
  const { signal } = new AbortController()
  const { outcomes } = await run({ aws, id: 'test', experiments: DELIVERIES, signal, print: t.comment })
  for (const { name, observed } of outcomes) t.comment(`${name}: ${observed}`)
  t.strictSame(
    outcomes.map(({ name, verdict, observed }) => [name, verdict === 'as expected' ? verdict : observed]),
    DELIVERIES.map(({ name }) => [name, 'as expected']),
  )
})
