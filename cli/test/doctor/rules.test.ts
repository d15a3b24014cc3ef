import { test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { CASES } from '../support/rule-cases.ts'
import { cdkOutput, cloudFormation, findingsIn, ids, sam } from '../support/templates.ts'
import { findingsInPlan, terraformPlan, terraformState, withAddresses } from '../support/terraform.ts'

for (const { title, change, options = {}, found, severity, notInTerraform, notInPlan } of CASES) {
  const rules = found.map((id) => id.split(' ')[0]).join(', ')
  test(`${title}: ${rules || 'no finding'}`, async (t) => {
    const named = { mapping: 'Orders', second: 'Second' }
    const expected = (prefix: string) =>
      found.map((id) => id.replace(/(?<= )(mapping|second)$/, (name) => prefix + named[name as keyof typeof named]))
    function checkFindings(findings: readonly Finding[], wanted: readonly string[], input: string) {
      t.strictSame(ids(findings), wanted, input)
      if (severity !== undefined) t.equal(findings[0]?.severity, severity, input)
    }
    checkFindings(await findingsIn(t, sam(change), options), expected('Handler/'), 'SAM')
    checkFindings(await findingsIn(t, cloudFormation(change), options), expected(''), 'CloudFormation')
    checkFindings(await findingsIn(t, cdkOutput(change), options), expected(''), 'output of the CDK')
    if (notInTerraform !== undefined) return
    checkFindings(findingsInPlan(terraformState(change), options), withAddresses(found), 'a state of Terraform')
    if (notInPlan !== undefined) return
    // A plan that creates a queue does not show its redrive policy.
    if (change?.queue && 'RedrivePolicy' in change.queue) return
    const created = ids(findingsInPlan(terraformPlan(change), options))
    const open = withAddresses(['not-checked Queue'])
    t.strictSame(
      created.filter((id) => !open.includes(id)),
      withAddresses(found),
      'a plan of Terraform',
    )
    t.strictSame(
      created.filter((id) => open.includes(id)),
      open,
      'the redrive policy in the plan',
    )
  })
}
