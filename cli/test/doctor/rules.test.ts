import { test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { findingsDeployed, withNames } from '../support/deployed.ts'
import { CASES } from '../support/rule-cases.ts'
import { cdkOutput, cloudFormation, findingsIn, ids, sam, serverlessPackage } from '../support/templates.ts'
import { findingsInPlan, isPolicyOpen, terraformPlan, terraformState, withAddresses } from '../support/terraform.ts'

const PREFIXES = { SAM: 'Handler/', CloudFormation: '' }
/** The logical ids that the Serverless Framework gives to the function and to its mapping. */
const SERVERLESS = { Handler: 'OrdersLambdaFunction', Orders: 'OrdersEventSourceMappingSQSQueue' }

/** The findings with the logical ids of a template in place of `mapping` and `second`. */
function withIds(found: readonly string[], format: keyof typeof PREFIXES): string[] {
  return found.map((id) =>
    id.replace(/ mapping$/, ` ${PREFIXES[format]}Orders`).replace(/ second$/, ` ${PREFIXES[format]}Second`),
  )
}

function withServerlessIds(found: readonly string[]): string[] {
  return withIds(found, 'CloudFormation').map((id) =>
    id.replace(/(?<= )(Handler|Orders)$/, (name) => SERVERLESS[name as keyof typeof SERVERLESS]),
  )
}

for (const { title, change, found, severity, inTerraform, inPlan, deployed } of CASES) {
  const rules = found.map((id) => id.split(' ')[0]).join(', ')
  test(`${title}: ${rules || 'no finding'}`, async (t) => {
    function checkFindings(input: string, findings: readonly Finding[], wanted: readonly string[], exception?: object) {
      t.strictSame(ids(findings), wanted, input)
      if (severity !== undefined && !exception) t.equal(findings[0]?.severity, severity, input)
    }
    checkFindings('SAM', await findingsIn(t, sam(change)), withIds(found, 'SAM'))
    const plain = withIds(found, 'CloudFormation')
    checkFindings('CloudFormation', await findingsIn(t, cloudFormation(change)), plain)
    checkFindings('output of the CDK', await findingsIn(t, cdkOutput(change)), plain)
    const ofServerless = await findingsIn(t, serverlessPackage(change))
    checkFindings('output of the Serverless Framework', ofServerless, withServerlessIds(found))

    const inState = inTerraform?.found ?? found
    const ofState = findingsInPlan(terraformState(change))
    checkFindings('a state of Terraform', ofState, withAddresses(inState), inTerraform)
    const created = inPlan?.found ?? [...inState, ...(isPolicyOpen(change) ? ['not-checked Queue'] : [])]
    const ofPlan = findingsInPlan(terraformPlan(change))
    checkFindings('a plan of Terraform', ofPlan, withAddresses(created), inPlan ?? inTerraform)

    const ofFunction = await findingsDeployed(change)
    checkFindings('the deployed function', ofFunction, withNames(deployed?.found ?? found, change), deployed)
  })
}
