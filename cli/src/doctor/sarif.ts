import { pathToFileURL } from 'node:url'
import type { Finding } from './check.ts'
import type { Report } from './format.ts'
import { MANIFEST } from './help.ts'
import { allRules } from './list-rules.ts'

const LEVELS = { error: 'error', warning: 'warning', info: 'note' } as const

/** A file as a relative URI, which GitHub expects, or as that of an absolute path. */
function uriOf(file: string): string {
  const isAbsolute = /^([/\\]|[a-z]:)/i.test(file)
  return isAbsolute ? pathToFileURL(file).href : file.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/')
}

function isAddress(link: string) {
  return link.startsWith('https://')
}

/** The edits of a file, as SARIF describes them. */
function fixesOf({ fix, file, paste }: Finding) {
  const replacements = paste?.flatMap(({ edit }) => {
    if (!edit) return []
    const { text, ...deletedRegion } = edit
    return [{ deletedRegion, insertedContent: { text } }]
  })
  if (file === undefined || !replacements?.length) return {}
  return {
    fixes: [
      { description: { text: fix }, artifactChanges: [{ artifactLocation: { uri: uriOf(file) }, replacements }] },
    ],
  }
}

function resultOf(finding: Finding, ruleIndex: number) {
  const { rule, severity, resource, message, fix, file, line, accepted } = finding
  const physicalLocation = file && { artifactLocation: { uri: uriOf(file) }, region: { startLine: line } }
  return {
    ruleId: rule,
    ruleIndex,
    level: LEVELS[severity],
    message: { text: `${resource}: ${message} ${fix}` },
    locations: [
      {
        ...(physicalLocation ? { physicalLocation } : {}),
        logicalLocations: [{ fullyQualifiedName: resource, kind: 'resource' }],
      },
    ],
    partialFingerprints: { 'resource/v1': `${rule} ${resource}` },
    ...fixesOf(finding),
    ...(accepted === undefined ? {} : { suppressions: [{ kind: 'external', justification: accepted }] }),
  }
}

/** The report as SARIF 2.1.0, for code scanning. */
export function formatSarif({ findings, inputs }: Report): string {
  const rules = allRules()
  const ids = rules.map(({ id }) => id)
  const failed = inputs.flatMap(({ name, error }) => (error === undefined ? [] : [{ name, error }]))
  const run = {
    tool: {
      driver: {
        name: 'bounded-sqs-batch doctor',
        version: MANIFEST.version,
        rules: rules.map(({ id, severity, why, source, help }) => ({
          id,
          shortDescription: { text: id.replaceAll('-', ' ') },
          fullDescription: { text: why },
          helpUri: isAddress(help) ? help : isAddress(source) ? source : undefined,
          help: { text: `${help}\n${source}`, markdown: `[${id}](${help}), [AWS](${source})` },
          defaultConfiguration: { level: LEVELS[severity as keyof typeof LEVELS] },
        })),
      },
    },
    invocations: [
      {
        executionSuccessful: failed.length === 0,
        toolExecutionNotifications: failed.map(({ name, error }) => ({
          level: 'error',
          message: { text: error },
          locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(name) } } }],
        })),
      },
    ],
    results: findings.map((finding) => resultOf(finding, ids.indexOf(finding.rule))),
  }
  return JSON.stringify({ $schema: SCHEMA, version: '2.1.0', runs: [run] }, undefined, 2)
}

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'
