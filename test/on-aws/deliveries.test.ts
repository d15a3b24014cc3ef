import t from 'tap'
import { deliveryExperiments } from './deliveries.ts'
import { imitateAws } from './imitation.ts'
import { polling } from './mappings.ts'
import { run } from './run.ts'

t.test('what isolateCrashes() and retryBackoff() assume, and polling, is observed on `local` and fauxqs', async (t) => {
  const { aws } = await imitateAws(t)
  // `local` receives ten messages with each call. A busy machine could not make the calls for 200 within the window.
  const experiments = [...deliveryExperiments(30), polling]
  const { signal } = new AbortController()
  const { outcomes } = await run({ aws, id: 'test', experiments, signal, print: t.comment })
  for (const { name, observed } of outcomes) t.comment(`${name}: ${observed}`)
  t.strictSame(
    outcomes.map(({ name, verdict, observed }) => [name, verdict === 'as expected' ? verdict : observed]),
    experiments.map(({ name }) => [name, 'as expected']),
  )
})
