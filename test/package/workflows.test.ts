import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')
const folder = join(root, '.github/workflows')
const workflows = new Map(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]))

type Step = { uses?: string; run?: string }
type Job = { 'timeout-minutes'?: unknown; steps: Step[]; strategy?: { matrix: Record<string, unknown> } }

function jobsOf(file: string): [string, Job][] {
  return Object.entries(parse(workflows.get(file) ?? '').jobs)
}

for (const [file, text] of workflows) {
  t.test(`${file} pins each action to a commit, and says which version that is`, async (t) => {
    for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) {
      t.match(line, /uses: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    }
  })

  t.test(`${file} gives each job a time limit`, async (t) => {
    for (const [name, job] of jobsOf(file)) t.ok(job['timeout-minutes'], name)
  })
}

t.test('only the publish job can identify itself to npm, and it does not check out or install anything', async (t) => {
  const { jobs, permissions } = parse(workflows.get('release.yml') ?? '')
  t.same(permissions, { contents: 'read' })
  const identified = Object.keys(jobs).filter((name) => jobs[name].permissions?.['id-token'])
  t.same(identified, ['publish'])
  t.equal(jobs.publish.environment, 'npm')
  t.notMatch(JSON.stringify(jobs.publish.steps), /actions\/checkout|npm (ci|install|run|exec)|npx/)
})

/** Commands without the options that differ between a CI script, which builds once, and a job. */
function withoutOptions(command: string): string {
  return command.replace(/ --\S+/g, '').replace(/ --$/, '')
}

function commandsOf(file: string): string[] {
  const commands = jobsOf(file).flatMap(([, { steps, strategy }]) => {
    const { command = [], include = [] } = (strategy?.matrix ?? {}) as {
      command?: string[]
      include?: { command: string }[]
    }
    return [...steps.map(({ run }) => run), ...command, ...include.map(({ command }) => command)]
  })
  return commands.flatMap((command) => command?.split(' && ') ?? []).map(withoutOptions)
}

for (const [script, file] of [
  ['.ci/run', 'ci.yml'],
  ['.ci/nightly', 'nightly.yml'],
] as const) {
  t.test(`${file} runs each section of ${script}`, async (t) => {
    const known = commandsOf(file)
    const sections = readFileSync(join(root, script), 'utf8').matchAll(/^ *(?:beside )?section [\w-]+ \d+ (.+)$/gm)
    const missing = Array.from(sections, ([, command = '']) => withoutOptions(command)).filter(
      (command) => !known.includes(command),
    )
    t.same(missing, [])
  })
}
