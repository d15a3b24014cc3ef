import t from 'tap'
import { imitateAws } from './imitation.ts'
import { mappingExperiments } from './mappings.ts'
import { run } from './run.ts'

t.test('what is known of groups and of polling is observed on `local` and fauxqs', async (t) => {
  const { aws } = await imitateAws(t)
  const experiments = mappingExperiments.filter(({ name }) => !name.includes('reserved concurrency')) // only AWS has it
  const { signal } = new AbortController()
  const { outcomes } = await run({ aws, id: 'test', experiments, signal, print: t.comment })
  for (const { name, observed } of outcomes) t.comment(`${name}: ${observed}`)
  t.strictSame(
    outcomes.map(({ name, verdict, observed }) => [name, verdict === 'as expected' ? verdict : observed]),
    experiments.map(({ name }) => [name, 'as expected']),
  )
})
