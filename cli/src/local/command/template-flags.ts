import type { FilterPattern } from '../../filters/filters.ts'
import type { Mapping } from '../../model/model.ts'
import { valueIn } from '../../model/setting.ts'
import { patternsOf } from '../../rules/rule.ts'
import { checkTemplateFlags, readSettings, settingsLine, useSetting } from '../../run-options/template-settings.ts'
import { countOf } from '../../shared/format.ts'
import type { LocalFlags } from './options.ts'

const QUEUE_FLAGS: readonly string[] = ['fifo', 'visibilityTimeout', 'maxReceives']

/** The patterns of a mapping's filters. None are applied if one of them is not known. */
function filtersIn(mapping: Mapping, file: string, notes: string[]): FilterPattern[] {
  const patterns = patternsOf(mapping)
  const unknown = [mapping.filters, ...patterns].find(({ state }) => state === 'unknown')
  if (unknown?.state !== 'unknown') return patterns.flatMap((pattern) => JSON.parse(valueIn(pattern)?.json ?? '[]'))
  notes.push(
    `warning: the filters in ${file} are not known (${unknown.reason}), so this run delivers all messages. ` +
      'Lambda deletes messages that match no filter',
  )
  return []
}

/**
 * Adds the settings of a template to the flags, and returns notes about them. Flags on the command line
 * override the template. An existing queue keeps its own settings. If the value of a setting is not known,
 * the default of the command is used.
 */
export async function withTemplate(
  flags: LocalFlags,
  handlerFile?: string,
): Promise<{ flags: LocalFlags; notes: string[]; mapping?: Mapping }> {
  const { template: file, queueUrl } = flags
  checkTemplateFlags(flags)
  if (file === undefined) return { flags, notes: [] }
  const isOwn = queueUrl === undefined
  const settings = await readSettings(
    file,
    flags,
    (name) => name !== 'environments' && flags[name] === undefined && (isOwn || !QUEUE_FLAGS.includes(name)),
    isOwn ? ['DEAD_LETTER_QUEUE_URL'] : [],
    handlerFile,
  )
  const { mapping, values, templateEnv, notInTemplate, usedSettings, notes } = settings
  const use = (name: 'reportBatchItemFailures' | 'maximumConcurrency', title: string) =>
    useSetting(settings, file, { name, title, setting: mapping[name] })
  // --no-report-batch-item-failures overrides the template.
  if (flags.reportBatchItemFailures) use('reportBatchItemFailures', 'ReportBatchItemFailures')
  if (flags.concurrency === undefined) use('maximumConcurrency', 'maximum concurrency')
  const filters = filtersIn(mapping, file, notes)
  if (filters.length > 0) usedSettings.push(countOf(filters.length, 'filter'))
  return {
    flags: { ...flags, ...values, templateEnv, notInTemplate, templateFilters: filters } as LocalFlags,
    notes: [settingsLine(settings, file), ...notes],
    mapping,
  }
}
