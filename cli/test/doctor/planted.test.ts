// The rule cases in formats that write the same settings in another way. What is found in a template is found here, or
// listed as not checked.
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { readStacks } from '../../src/doctor/inputs.ts'
import { check } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { CASES } from '../support/rule-cases.ts'
import { type Change, cloudFormation, findingsIn, getAtt, sam } from '../support/templates.ts'
import { findingsInPlan, plannedResources, shownPlan } from '../support/terraform.ts'

/** All numbers are parameters, and lists depend on conditions. */
function withIntrinsics(change: Change) {
  const Parameters: Record<string, object> = { Stage: { Type: 'String', Default: 'prod' } }
  const isProd = (value: unknown) => ({ 'Fn::If': ['Prod', value, { Ref: 'AWS::NoValue' }] })
  function replace(key: string, value: unknown): unknown {
    if (key === 'Fn::GetAtt') return value
    if (Number.isInteger(value) && Number(value) > 0) {
      Parameters[`P${value}`] = { Type: 'Number', Default: value }
      return { Ref: `P${value}` }
    }
    if (Array.isArray(value)) return isProd(value.map((item) => replace('', item)))
    return typeof value === 'object' && value !== null ? replaceIn(value) : value
  }
  function replaceIn(value: object): object {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, replace(key, child)]))
  }
  const Conditions = { Prod: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } }
  return { Conditions, Resources: replaceIn(cloudFormation(change).Resources), Parameters }
}

/** The settings of the function are in Globals. */
function withGlobals(change: Change) {
  const { Resources, ...template } = sam(change)
  const { Events, ...settings } = Resources.Handler.Properties
  const Handler = { ...Resources.Handler, Properties: { Events } }
  return { ...template, Globals: { Function: settings }, Resources: { ...Resources, Handler } }
}

/** The queues are in a stack of their own, which exports the ARN. */
function linkedStacks(t: Test, change: Change): Finding[] {
  const { Queue, Dead, ...others } = cloudFormation(change).Resources
  const Export = { Name: 'Queues:QueueArn' }
  const queues = { Resources: { Queue, Dead }, Outputs: { QueueArn: { Value: getAtt('Queue'), Export } } }
  const text = JSON.stringify({ Resources: others })
  const imported = text.replaceAll(JSON.stringify(getAtt('Queue')), '{"Fn::ImportValue":"Queues:QueueArn"}')
  const artifact = (name: string) => ({
    type: 'aws:cloudformation:stack',
    properties: { templateFile: `${name}.template.json` },
  })
  const folder = filesIn(t, {
    'manifest.json': JSON.stringify({ artifacts: { Queues: artifact('Queues'), Shop: artifact('Shop') } }),
    'Queues.template.json': JSON.stringify(queues),
    'Shop.template.json': imported,
  })
  const inputs = readStacks(join(folder)) ?? []
  return inputs.flatMap(({ read, ...input }) => (read ? check({ ...input, model: read(new Map()) }) : []))
}

/** The resources are in a module that is called for each of two regions. */
function inModules(change: Change): Finding[] {
  const module = { resources: plannedResources(change) }
  return findingsInPlan(
    shownPlan({ resources: [], modules: { 'module.shop["eu"]': module, 'module.shop["us"]': module } }),
  )
}

const FORMATS: Readonly<Record<string, (t: Test, change: Change) => Finding[] | Promise<Finding[]>>> = {
  'CloudFormation with intrinsic functions': (t, change) => findingsIn(t, withIntrinsics(change)),
  'SAM with Globals': (t, change) => findingsIn(t, withGlobals(change)),
  'two linked stacks of the CDK': linkedStacks,
  'a plan of Terraform with modules and for_each': (_, change) => inModules(change),
}

for (const [format, findingsOf] of Object.entries(FORMATS)) {
  test(`the rule cases in ${format}: nothing is passed over or added`, async (t) => {
    const wrong: string[] = []
    for (const { title, change = {}, found, inPlan, inTerraform } of CASES) {
      const expected = format.includes('Terraform') ? ((inPlan ?? inTerraform)?.found ?? found) : found
      const rules = (await findingsOf(t, change)).map((finding) => finding.rule)
      const wanted = expected.map((id) => id.split(' ')[0] as string)
      const missing = wanted.filter((rule) => !rules.includes(rule) && !rules.includes('not-checked'))
      const added = rules.filter((rule) => !wanted.includes(rule) && rule !== 'not-checked')
      if (missing.length + added.length > 0) wrong.push(`${title}: ${missing} ${added}`)
    }
    t.strictSame(wrong, [])
  })
}
