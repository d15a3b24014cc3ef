/** The entry for apps of the CDK: `doctor` as a validation plugin, which runs in `cdk synth`. */

import { dirname, resolve } from 'node:path'
// Only types: the plugin works with the aws-cdk-lib of the app, and loads none itself.
import type * as cdk from 'aws-cdk-lib'
import type { IPolicyValidationContext, IPolicyValidationPlugin, PolicyValidationPluginReport } from 'aws-cdk-lib'
import { ACCEPTANCE } from './doctor/acceptances.ts'
import { type Finding, RULES } from './doctor/check.ts'
import { examine } from './doctor/examine.ts'
import { type Input, readStacks } from './doctor/inputs.ts'
import { NOT_CHECKED } from './doctor/not-checked.ts'
import { UsageError } from './shared/errors.ts'
import { joinNames } from './shared/format.ts'
import { MANIFEST, pageOfRule } from './shared/package-manifest.ts'
import { stackKey } from './template/assembly.ts'

interface AppStack {
  path: string
  /** Whether the command that synthesises the app uses the stack. */
  isSelected: boolean
  resources: Set<string>
}

type AppStacks = ReadonlyMap<string, AppStack>

/** Checks the stacks of an app as `doctor` does. Add it with `Validations.of(app).addPlugins()`. */
export class SqsBatchDoctor implements IPolicyValidationPlugin {
  readonly name = 'bounded-sqs-batch'
  readonly version = MANIFEST.version
  readonly ruleIds = [...RULES, ACCEPTANCE, NOT_CHECKED].map(({ id }) => id)

  /** The CDK calls it after it has written the templates of all stacks. */
  validate(context: IPolicyValidationContext): PolicyValidationPluginReport {
    let violations: cdk.PolicyViolation[]
    try {
      violations = violationsIn(context)
    } catch (error) {
      // Not thrown, because `cdk synth` passes if a plugin throws (seen with version 2.1148 of the CLI).
      const reason = error instanceof Error ? error.message : error
      violations = [notChecked('fatal', `Not all stacks could be checked: ${reason}`)]
    }
    // The CDK computes it in the same way if it hides findings that the app acknowledges.
    return { success: violations.every(({ severity = '' }) => !['error', 'fatal'].includes(severity)), violations }
  }
}

function violationsIn({ appConstruct, templatePaths }: IPolicyValidationContext): cdk.PolicyViolation[] {
  if (!appConstruct) throw new UsageError('SqsBatchDoctor needs aws-cdk-lib 2.258.0 or later')
  const stacks = stacksOf(appConstruct)
  const folder = resolve((appConstruct as cdk.App).outdir)
  const all = readStacks(folder) ?? []
  const missing = templatePaths.filter((path) => all.every(({ name }) => name !== resolve(path)))
  if (missing.length > 0) throw new UsageError(`the manifest in ${folder} does not name ${missing.join(', ')}`)

  // If the plugin belongs to a stage, `templatePaths` has its stacks. Nested stacks are in the same folder.
  const folders = new Set(templatePaths.map((path) => dirname(resolve(path))))
  const inScope = all.filter(({ name }) => folders.has(dirname(name)))
  const inputs = inScope
    .filter(({ name }) => stacks.get(stackKey(name))?.isSelected !== false)
    .map((input): Input => ({ ...input, syntax: 'cdk' }))
  const { findings, inputs: examined } = examine(inputs, new Map(), [])

  const errors = examined.flatMap(({ error }) => error ?? [])
  if (errors.length > 0) throw new UsageError(errors.join('; '))
  // An acceptance can belong to a stack that is not selected.
  const isAllSelected = inputs.length === inScope.length
  const open = findings.filter(({ accepted, rule }) => !accepted && (isAllSelected || rule !== ACCEPTANCE.id))
  const failing = open.filter(({ severity }) => severity === 'error')
  const violations = [...open.map((finding) => toViolation(finding, stacks)), ...inStages(failing, folder, stacks)]
  for (const { name, note } of examined) {
    if (note !== undefined) violations.push(notChecked('info', `${note}.`, stacks.get(stackKey(name))?.path))
  }
  if (inputs.length > 0 && examined.every(({ mappings }) => mappings === 0)) {
    violations.push(notChecked('warning', 'No stack has an SQS event source mapping, so nothing was checked.'))
  }
  return violations
}

/** Reads the construct tree: the CDK writes paths into templates only if its CLI runs the app. */
function stacksOf(app: IPolicyValidationContext['appConstruct']): AppStacks {
  const stacks = new Map<string, AppStack>()
  for (const construct of app.node.findAll()) {
    if (!('cfnResourceType' in construct)) continue
    const { stack, logicalId } = construct as cdk.CfnResource
    const key = stackKey(stack.templateFile)
    const known = stacks.get(key) ?? { path: stack.node.path, isSelected: isSelected(stack), resources: new Set() }
    known.resources.add(stack.resolve(logicalId))
    stacks.set(key, known)
  }
  return stacks
}

/**
 * The CDK does not bundle functions for commands that need no code, such as `cdk ls`, nor in stacks that
 * `--exclusively` leaves out. Their code cannot be searched, and they are not deployed.
 */
function isSelected(stack: cdk.Stack): boolean {
  const { nestedStackParent: parent } = stack
  return parent ? isSelected(parent) : stack.bundlingRequired
}

type Place = Omit<cdk.PolicyViolatingResource, 'locations'>
type Problem = Pick<Finding, 'rule' | 'source' | 'help'> & { severity: string }

function violation({ rule, severity, source, help }: Problem, description: string, place: Place): cdk.PolicyViolation {
  const ruleMetadata = JSON.parse(JSON.stringify({ source, help })) // without a page that this package does not know
  return { ruleName: rule, severity, description, ruleMetadata, violatingResources: [{ ...place, locations: [] }] }
}

function toViolation(finding: Finding, stacks: AppStacks): cdk.PolicyViolation {
  const { resource, message, set, file } = finding
  const place = placeOf(resource, file, stacks)
  const description = place.resourceLogicalId === undefined ? `${resource}: ${message}` : message
  const fix = set === undefined ? finding.fix : `${finding.fix} In the construct: ${set}.`
  return { ...violation(finding, description, place), fix }
}

/** The resource of a finding, or the stack, if it does not have it: a queue that is only known by its ARN. */
function placeOf(resource: string, file = '', stacks: AppStacks): Place {
  const key = stackKey(file)
  const { path = '', resources } = stacks.get(key) ?? {}
  const [first = '', second = ''] = resource.split('/')
  const id = first === key && resources?.has(second) ? second : first
  return resources?.has(id) ? { resourceLogicalId: id, templatePath: file } : { constructPath: path }
}

/**
 * The CDK hides the findings of stacks that a command does not select, and `cdk synth` without arguments
 * selects no stack of a stage. So an error in a stage is also an error of the app.
 */
function inStages(failing: readonly Finding[], folder: string, stacks: AppStacks): cdk.PolicyViolation[] {
  const files = new Set(failing.flatMap(({ file = folder }) => (dirname(file) === folder ? [] : file)))
  if (files.size === 0) return []
  const paths = Array.from(files, (file) => stacks.get(stackKey(file))?.path ?? file)
  const description = `Findings that fail the synthesis are in stages: ${joinNames(paths)}.`
  return [{ ...notChecked('error', description), ruleName: 'stages', fix: "To see them, run cdk synth '**'." }]
}

/** Without the path of a construct, the CDK shows it whatever stacks a command selects. */
function notChecked(severity: string, description: string, constructPath = ''): cdk.PolicyViolation {
  const { id: rule, source } = NOT_CHECKED
  return violation({ rule, severity, source, help: pageOfRule(rule) }, description, { constructPath })
}
