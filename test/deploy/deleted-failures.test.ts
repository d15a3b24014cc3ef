import { compileFunction } from 'node:vm'
import t from 'tap'
import { alarmsOf, type Properties, samTemplate, withDefaults } from '../support/templates.ts'

// DeletedFailuresAlarm is inferred from AWS's description of the metrics. This test evaluates its expression for the sums
// of one period. templates.test.ts checks its settings in both templates, and `npm run proof:aws` observes it on AWS.
const { Metrics, Threshold } = alarmsOf(withDefaults(samTemplate())).DeletedFailuresAlarm as Properties

/** The sums of a period. Without data, a sum is missing. */
type Sums = Partial<Record<'reported' | 'deleted' | 'invoked' | 'failed', number>>

/** Metric math has the operators of JavaScript, and functions. */
const FUNCTIONS = {
  IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
  FILL: (value: number, filler: number) => (Number.isNaN(value) ? filler : value),
}

/** Whether a period breaches the threshold. AWS does not say whether a missing sum is 0 or makes the result missing. */
function breaches(sums: Sums): 'always' | 'never' | 'depends' {
  const names = ['reported', 'deleted', 'invoked', 'failed'] as const
  const evaluate = compileFunction(`return ${Metrics[0].Expression}`, [...Object.keys(FUNCTIONS), ...names])
  const results = [0, Number.NaN].map(
    (missing) => evaluate(...Object.values(FUNCTIONS), ...names.map((name) => sums[name] ?? missing)) > Threshold,
  )
  if (results[0] !== results[1]) return 'depends'
  return results[0] ? 'always' : 'never'
}

const CASES: [what: string, sums: Sums, expected: ReturnType<typeof breaches>][] = [
  ['with the setting, no record fails', { reported: 0, deleted: 1000, invoked: 1000 }, 'never'],
  ['with the setting, some fail', { reported: 20, deleted: 980, invoked: 1000, failed: 20 }, 'never'],
  ['with the setting, all fail', { reported: 1000, deleted: 0, invoked: 1000, failed: 1000 }, 'never'],
  ['if Lambda counts the whole batch', { reported: 20, deleted: 980, invoked: 1000, failed: 1000 }, 'never'],
  ['with the setting, a batch is invoked in the period before', { reported: 20, deleted: 980, failed: 20 }, 'never'],
  ['with the setting, the messages are deleted later', { reported: 20, invoked: 1000, failed: 20 }, 'never'],
  ['without the setting, no record fails', { reported: 0, deleted: 1000, invoked: 1000 }, 'never'],
  ['without the setting, 1 % fail', { reported: 10, deleted: 1000, invoked: 1000 }, 'never'],
  ['without the setting, more than 1 % fail', { reported: 11, deleted: 1000, invoked: 1000 }, 'always'],
  ['without the setting, all fail', { reported: 1000, deleted: 1000, invoked: 1000 }, 'always'],
  ['invocations that fail hide it', { reported: 100, deleted: 1000, invoked: 2000 }, 'never'],
  ['their messages are counted as failed', { reported: 100, deleted: 1000, invoked: 2000, failed: 1000 }, 'never'],
]
for (const [what, sums, expected] of CASES) {
  t.test(`the alarm, ${what}`, async (t) => t.equal(breaches(sums), expected))
}
