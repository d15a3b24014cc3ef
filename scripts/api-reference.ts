/**
 * Renders docs/reference.md from the declarations in dist/, which have the comments of src/: each export with its signature,
 * its comment and its examples.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DIST = join(import.meta.dirname, '../dist')

interface Declaration {
  readonly name: string
  /** As `tsc` writes it, without comments. */
  readonly code: string
  readonly comment: string
  readonly members: readonly Declaration[]
}

const NOTE = '<!-- Written by `npm run docs:reference` from the comments in src/. Change the comments instead. -->'

const NEEDS_SQS =
  'These functions call SQS. They need `@aws-sdk/client-sqs` 3.734 or later, an optional peer dependency, and [permissions](dead-letters.md#permissions).'
const CODES =
  'Each class has a literal `name` and a `code`. If a bundle can contain two copies of this package, check `error.code` instead of using `instanceof`.'

/** The sections before the one with all other types. */
const SECTIONS: readonly { title: string; intro: string; names: readonly string[] }[] = [
  {
    title: 'Middleware and handlers',
    intro: 'From `middy-bounded-sqs-batch`. `boundedSqsBatch` is also the default export.',
    names: ['boundedSqsBatch', 'eachRecord', 'eachChunk'],
  },
  {
    title: 'Options',
    intro: 'Of `boundedSqsBatch()`. All are optional. An unknown option or a wrong value causes a `TypeError`.',
    names: ['BoundedSqsBatchOptions'],
  },
  {
    title: 'SQS: `middy-bounded-sqs-batch/sqs`',
    intro: NEEDS_SQS,
    names: ['deadLetter', 'retryBackoff', 'isolateCrashes'],
  },
  {
    title: 'Unit tests: `middy-bounded-sqs-batch/testing`',
    intro: '[Testing](testing.md) shows how to use them.',
    names: ['sqsEvent', 'sqsContext', 'invoke'],
  },
]

/** The interfaces of options, by what takes them. Their members have headings. */
const OPTIONS: Record<string, string> = {
  timeBudget: 'TimeBudget',
  rateLimit: 'RateLimitOption',
  deadLetter: 'DeadLetterOptions',
  retryBackoff: 'RetryBackoffOptions',
  isolateCrashes: 'IsolateCrashesOptions',
  sqsEvent: 'SqsEventOptions',
  sqsContext: 'SqsContextOptions',
  invoke: 'InvokeOptions',
}

/** The pages that explain how to use it. */
const GUIDES: Record<string, string> = {
  boundedSqsBatch: '[With other middlewares](other-middlewares.md)',
  eachRecord: '[Message bodies](envelopes.md)',
  eachChunk: '[one statement for many records](databases.md#one-statement-for-many-records)',
  concurrency: '[how to choose it](batch-size.md#concurrency)',
  recordTimeout: '[the largest BatchSize](batch-size.md#the-largest-batchsize)',
  timeBudget: '[time budget](time-budget.md)',
  rateLimit: '[rate limit](rate-limit.md)',
  fifoFailure: '[FIFO queues](fifo.md)',
  throwOnFullBatchFailure: '[failures](failures.md)',
  onFailure: '[failure handlers](failure-handlers.md)',
  logger: '[the log entry](observability.md#the-log-entry)',
  onSummary: '[metrics](observability.md#metrics)',
  deadLetter: '[dead letters](dead-letters.md#dead-letters)',
  retryBackoff: '[backoff](dead-letters.md#backoff)',
  isolateCrashes: '[isolateCrashes()](dead-letters.md#isolatecrashes)',
  BatchSummary: '[metrics](observability.md#metrics)',
  BatchTrace: '[channels](observability.md#channels)',
  RecordTrace: '[channels](observability.md#channels)',
}

export function referencePage(): string {
  const declarations = new Map(
    globSync('{errors,types,middleware,handlers/*,sqs/*,testing/*}.d.ts', { cwd: DIST })
      .flatMap((file) => declarationsIn(readFileSync(join(DIST, file), 'utf8')))
      .map((declaration) => [declaration.name, declaration]),
  )
  const named = new Set([...SECTIONS.flatMap(({ names }) => names), ...Object.values(OPTIONS)])
  const others = exportsOf(['index', 'sqs/index', 'testing/index']).filter((name) => !named.has(name))
  const errors = others.filter((name) => name.endsWith('Error'))
  const types = others.filter((name) => !errors.includes(name))
  const render = (name: string) => section(name, declarations)
  const parts = [
    '# Reference',
    NOTE,
    ...SECTIONS.flatMap(({ title, intro, names }) => [`## ${title}`, intro, ...names.flatMap(render)]),
    '## Errors',
    CODES,
    ...errors.flatMap(render),
    '## Types',
    ...types.flatMap(render),
  ]
  return `${withLinks(parts).join('\n\n')}\n`
}

function exportsOf(entries: readonly string[]): string[] {
  const text = entries.map((entry) => readFileSync(join(DIST, `${entry}.d.ts`), 'utf8')).join('\n')
  const lists = Array.from(text.matchAll(/^export (?:type )?\{([^}]*)\}/gm), ([, list = '']) => list.split(','))
  const names = lists.flat().map((item) => item.trim().replace(/^type /, ''))
  return names.filter((name) => /^\w+$/.test(name)).sort()
}

/** The exported declarations of a file that `tsc` wrote. */
function declarationsIn(text: string): Declaration[] {
  const pattern =
    /(?:^\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:declare )?((?:function|class|interface|type) (\w+)[\s\S]*?(?:^\}|;))\n(?=[^\s}]|$)/gm
  return Array.from(text.matchAll(pattern), ([, comment = '', code = '', name = '']) => {
    return { name, code: plain(code), comment, members: /^(class|interface)/.test(code) ? membersIn(code) : [] }
  })
}

function membersIn(code: string): Declaration[] {
  const pattern =
    /(?:^ {4}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^ {4}((?:readonly )?(\w+)\??(?::| =)[\s\S]*?);\n(?= {4}[\w/]|\})/gm
  return Array.from(code.matchAll(pattern), ([, comment = '', member = '', name = '']) => ({
    name,
    code: plain(member),
    comment,
    members: [],
  }))
}

/** Without what a reader does not need: comments, `readonly` of a property, and `| undefined` of an optional one. */
function plain(code: string): string {
  const text = code
    .replaceAll(/^ *\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n/gm, '')
    .replaceAll(/\breadonly (?=\w+\??(:| =))/g, '')
    .replaceAll(/^( *\w+\?: .*) \| undefined(;?)$/gm, '$1$2')
    .replaceAll(/^ {4}constructor\(.*\n/gm, '')
    .replaceAll('extends SqsBatchError', 'extends Error')
    .replaceAll(/\{\n +(\w+\??: [^;\n]+);\n\}(?!$)/g, '{ $1 }')
    .trim()
    .replace(/;$/, '')
    .replaceAll(/^( {4})+/gm, (spaces) => spaces.slice(spaces.length / 2))
  return text
    .split('\n')
    .map((line) => (line.length > 89 ? wrapped(line) : line))
    .join('\n')
}

/** One parameter or type parameter on each line, or one case of a conditional type. */
function wrapped(line: string): string {
  if (line.startsWith('interface')) return line.replace(' extends', '\n  extends')
  if (!line.includes('(')) return line.replaceAll(/ (\? |: (?=TBody|TResult|SQS)|\| (?!undefined))/g, '\n  $1')
  let depth = 0
  const hasLongHead = line.indexOf('(') > 89 // so each type parameter has a line, too
  const parts = Array.from(line, (char, index) => {
    const isArrow = line[index - 1] === '='
    if ('(<{'.includes(char)) depth++
    if (')}'.includes(char) || (char === '>' && !isArrow)) depth--
    if (char === '(' && depth === 1) return '(\n  '
    if (char === ')' && depth === 0) return ',\n)'
    if (char === '<' && depth === 1 && hasLongHead && index < line.indexOf('(')) return '<\n  '
    if (char === '>' && depth === 0 && hasLongHead && index < line.indexOf('(')) return ',\n>'
    const isAfterHead = line.lastIndexOf('(', index) > 0
    return char === ',' && depth === 1 && (isAfterHead || hasLongHead) ? ',\n ' : char
  })
  return parts
    .join('')
    .replaceAll(/\(\n {2},\n\)/g, '()')
    .replaceAll(/^(.{50,}) & /gm, '$1 &\n    ')
}

function section(name: string, declarations: ReadonlyMap<string, Declaration>): string[] {
  const declaration = declarations.get(name)
  if (!declaration) throw new Error(`expected the declaration of ${name} in dist/, received none: run npm run build`)
  if (name === 'BoundedSqsBatchOptions') return optionSections(declaration, '', declarations)
  const isFunction = declaration.code.startsWith('function')
  const options = declarations.get(OPTIONS[name] ?? '')
  return [
    `### \`${name}${isFunction ? '()' : ''}\``,
    ...described(declaration),
    ...membersList(declaration),
    ...(options ? optionSections(options, name, declarations) : []),
  ]
}

/** A section for each option. `owner` takes the options: a function, an option with two values, or nothing. */
function optionSections(
  { code, members }: Declaration,
  owner: string,
  declarations: ReadonlyMap<string, Declaration>,
): string[] {
  const [, base = '', names = ''] = /extends Pick<(\w+), ([^>]*)>/.exec(code) ?? []
  const inherited = declarations.get(base)?.members.filter(({ name }) => names.includes(`'${name}'`)) ?? []
  return [...inherited, ...members].flatMap((option) => {
    const { name } = option
    const nested = owner === '' ? declarations.get(OPTIONS[name] ?? '') : undefined
    const isProperty = owner === 'timeBudget' || owner === 'rateLimit'
    const heading = isProperty ? `\`${owner}.${name}\`` : `\`${owner}\` option \`${name}\``
    return [
      owner === '' ? `### \`${name}\`` : `#### ${heading}`,
      ...described(option),
      ...(nested ? optionSections(nested, name, declarations) : []),
    ]
  })
}

const LABELS: Record<string, string> = { default: 'Default', returns: 'Returns', throws: 'Throws' }

/** The signature, the comment, its tags and examples, and the guide. */
function described({ name, code, comment }: Declaration): string[] {
  const { text, tags, examples } = parseComment(comment)
  const lines = tags.map(([tag, value]) =>
    tag === 'param' ? `- ${value.replace(/^(\w+) /, '`$1`: ')}` : `- ${LABELS[tag] ?? tag}: ${value}`,
  )
  const guide = GUIDES[name]
  return [
    `<!-- fragment: a signature -->\n\`\`\`ts\n${code}\n\`\`\``,
    ...(text ? [text] : []),
    ...(lines.length > 0 ? [lines.join('\n')] : []),
    ...examples.map((example) => `<!-- fragment: example -->\n\`\`\`ts\n${example}\n\`\`\``),
    ...(guide ? [`Guide: ${guide}.`] : []),
  ]
}

/** What the comments of the members say. */
function membersList({ members }: Declaration): string[] {
  const lines = members.flatMap(({ name, comment }) => {
    const { text } = parseComment(comment)
    return text ? `- \`${name}\`: ${text.replaceAll('\n\n', ' ')}` : []
  })
  return lines.length > 0 ? [lines.join('\n')] : []
}

/** The same for an interface in the declarations of another package, with the names that need no comment. */
export function interfaceSection(file: string, name: string): string[] {
  const declaration = declarationsIn(readFileSync(file, 'utf8')).find((one) => one.name === name)
  if (!declaration) throw new Error(`expected the declaration of ${name} in ${file}, received none: run npm run build`)
  return [`<!-- fragment: a signature -->\n\`\`\`ts\n${declaration.code}\n\`\`\``, ...membersList(declaration)]
}

function parseComment(comment: string) {
  const lines = comment.split('\n').map((line) => line.replace(/^ *\* ?/, '').trimEnd())
  const [text = '', ...blocks] = lines.join('\n').split(/^@(?=\w)/m)
  const parsed = blocks.map((block) => /^(\w+)\s*([\s\S]*)$/.exec(block) ?? [])
  const tags = parsed.filter(([, tag]) => tag !== 'example')
  return {
    text: paragraphs(text),
    tags: tags.map(([, tag = '', value = '']) => [tag, paragraphs(value).replaceAll('\n\n', ' ')] as const),
    examples: parsed.flatMap(([, tag, value = '']) => (tag === 'example' ? value.trim() : [])),
  }
}

/** One line for each paragraph and for each item of a list. */
function paragraphs(text: string): string {
  return text
    .trim()
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replaceAll(/^\{(\w+)\} /g, '`$1` ')
    .replaceAll(/(?<!\n)\n(?!\n|- )/g, ' ')
    .replaceAll(/\((https:[^)]+)\)/g, '([AWS]($1))')
}

/** In each section, the first mention of a name that has a heading is a link to it. */
function withLinks(parts: readonly string[]): string[] {
  const anchors = new Map(
    parts.flatMap((part) => {
      const [, name] = /^#{3,4} `([\w.]+(?:\(\))?)`$/.exec(part) ?? []
      return name === undefined ? [] : [[name, name.toLowerCase().replaceAll(/\W/g, '')] as const]
    }),
  )
  for (const [owner, type] of Object.entries(OPTIONS)) anchors.set(type, owner.toLowerCase())
  anchors.set('BoundedSqsBatchOptions', 'options')
  let linked = new Set<string>()
  return parts.map((part) => {
    if (part.startsWith('#')) linked = new Set([/`([^`]+)`/.exec(part)?.[1] ?? ''])
    if (/^(#|<!--)/.test(part)) return part
    return part.replaceAll(/(?<!\[)`([\w.]+(?:\(\))?)`(?!:)/g, (code, name: string) => {
      const anchor = anchors.get(name)
      if (anchor === undefined || linked.has(name)) return code
      linked.add(name)
      return `[${code}](#${anchor})`
    })
  })
}
