/**
 * Writes the pages of docs/ that come from the code: the reference, the flags of each command, the rules of `doctor`, and
 * the experiments on AWS. A test fails if they differ from the code.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command, Option } from 'commander'
import { ACCEPTANCE } from '../cli/src/doctor/acceptances.ts'
import { RULES } from '../cli/src/doctor/check.ts'
import { NOT_CHECKED } from '../cli/src/doctor/not-checked.ts'
import { doctorCommand, localCommand, tuneCommand } from '../cli/src/program.ts'
import { readResults, renderPage } from '../test/on-aws/page.ts'
import { interfaceSection, referencePage } from './api-reference.ts'
import { FINDS } from './rule-descriptions.ts'

const LEDGER = join(import.meta.dirname, '../cli/dist/types/cli/src/local/account/ledger.d.ts')

const NOTE = '<!-- Written by `npm run docs:reference`. Change the code instead. -->'

/** The text of each page, by its path in the repository. */
export function referencePages(): Map<string, string> {
  return new Map([
    ['docs/reference.md', referencePage()],
    ['docs/flags.md', flagsPage([localCommand(), doctorCommand(), tuneCommand()])],
    ['docs/doctor-rules.md', rulesPage()],
    ['docs/on-aws.md', renderPage(readResults())],
  ])
}

function flagsPage(commands: readonly Command[]): string {
  const parts = [
    '# Flags of `local`, `doctor` and `tune`',
    NOTE,
    '`npx bounded-sqs-batch COMMAND --help` also prints them. The guides are [local](local.md), [doctor](doctor.md) and [tune](tune.md).',
    ...commands.flatMap(commandSection),
    '## The ledger of `local`',
    '`local --json` prints it, with `differences` (from AWS), `verdict` and `reason`. [`run()`](local-reference.md#in-your-own-tests) returns it. `sent` is `filtered` + `processed` + `deadLettered` + `remaining` + `lost`.',
    ...interfaceSection(LEDGER, 'Ledger'),
  ]
  return `${parts.join('\n\n')}\n`
}

function commandSection(command: Command): string[] {
  const name = command.name()
  return [
    `## \`${name}\``,
    ['```sh', `npx bounded-sqs-batch ${name} ${command.usage()}`, '```'].join('\n'),
    ...command.registeredArguments.map((argument) => `\`${argument.name()}\`: ${sentence(argument.description)}`),
    ...command.options.flatMap((option) => flagSection(name, option)),
  ]
}

function flagSection(command: string, option: Option): string[] {
  const { long, flags, description, argChoices, defaultValue, defaultValueDescription, mandatory } = option
  const value = flags.replace(/^\S+ ?/, '')
  const notes = [
    value && `Value: \`${argChoices ? argChoices.join('`, `') : value}\``,
    mandatory && 'Required',
    typeof defaultValue !== 'boolean' &&
      defaultValue !== undefined &&
      `Default: \`${defaultValueDescription ?? defaultValue}\``,
  ].filter((note) => note)
  return [`### \`${command} ${long}\``, ...(notes.length > 0 ? [notes.join('\\\n')] : []), sentence(description)]
}

/** Begins with a capital letter, and ends with a full stop. `<` would begin an HTML element. */
function sentence(text: string): string {
  const escaped = text.replaceAll('<', '&lt;')
  return `${escaped.slice(0, 1).toUpperCase()}${escaped.slice(1)}${/[.`]$/.test(escaped) ? '' : '.'}`
}

/** All rules of `doctor`, in the order of the page. */
export const ALL_RULES: readonly DocumentedRule[] = [
  ...RULES,
  ACCEPTANCE,
  { ...NOT_CHECKED, why: 'A value that is known only after deployment can be wrong.' },
]

interface DocumentedRule {
  id: string
  severity: string
  why: string
  /** The page of AWS that documents it. */
  source?: string
}

function rulesPage(): string {
  const parts = [
    '# Rules of `doctor`',
    NOTE,
    'An error means that a message can be lost, or that the deployment fails. Each finding links to its rule here. [The guide](doctor.md) shows how to run `doctor`, and how to accept a finding.',
    ...ALL_RULES.flatMap(ruleSection),
  ]
  return `${parts.join('\n\n')}\n`
}

function ruleSection({ id, severity, why, source }: DocumentedRule): string[] {
  const label = severity.slice(0, 1).toUpperCase() + severity.slice(1)
  const page = source === undefined ? '' : ` [AWS documentation](${source})`
  return [`## ${id}`, `**${label}.** ${FINDS[id]}`, `${why}${page}`]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, text] of referencePages()) writeFileSync(join(import.meta.dirname, '..', path), text)
}
