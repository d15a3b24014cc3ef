import t from 'tap'
import { deliveryExperiments } from './deliveries.ts'
import { imitateAws } from './imitation.ts'
import { run } from './run.ts'

t.test('where the visibility timeouts of functions have no effect, the experiments say so', async (t) => {
  const { aws } = await imitateAws(t, { ignoresDelays: true })
  // `local` receives ten messages with each call. A busy machine could not make the calls for 200 within the window.
  const experiments = deliveryExperiments(30)
  const { signal } = new AbortController()
  const { outcomes } = await run({ aws, id: 'test', experiments, signal, print: t.comment })
  for (const { name, observed } of outcomes) t.comment(`${name}: ${observed}`)
  // The queues have 60 s and 30 s, counted from when the function received the message, so from a moment earlier. On a busy
  // machine, the next delivery is late.
  const thirty = '(2[5-9]|[345]\\d)\\.\\d'
  const afterSixty = 'redelivered after [5-8]\\d\\.\\d s'
  const expected = [
    ...Array(3).fill(`^differs: set to 10 s: ${afterSixty}; set to 90 s: ${afterSixty}$`),
    '^as expected: \\d{2,3} of the \\d{2,3} others in its first batch are dead-lettered$',
    '^differs: \\d{2,3} of the \\d{2,3} others in its first batch are dead-lettered$',
    `^differs: all are redelivered after ${Array(3).fill(`${thirty} to ${thirty} s`).join(', ')}$`,
  ]
  t.equal(outcomes.length, expected.length)
  for (const [index, { verdict, observed }] of outcomes.entries()) {
    t.match(`${verdict}: ${observed}`, new RegExp(expected[index]))
  }
})
