import type { FilterPattern } from '../../filters/filters.ts'
import type { Mapping } from '../../model/model.ts'
import { valueIn } from '../../model/setting.ts'
import { patternsOf } from '../../rules/rule.ts'
import {
  checkTemplateFlags,
  codeRootOf,
  nodeMajorOf,
  readSettings,
  settingsLine,
  useSetting,
} from '../../run-options/template-settings.ts'
import { countOf } from '../../shared/format.ts'
import type { LocalFlags } from './options.ts'

const QUEUE_FLAGS: readonly string[] = ['fifo', 'visibilityTimeout', 'maxReceives']

/** The patterns of a mapping's filters. None are applied if one of them is not known. */
function filtersIn(mapping: Mapping, file: string): { filters: FilterPattern[]; note?: string } {
  const patterns = patternsOf(mapping)
  const unknown = [mapping.filters, ...patterns].find(({ state }) => state === 'unknown')
  if (unknown?.state === 'unknown') {
    const note =
      `warning: the filters in ${file} are not known (${unknown.reason}), so this run delivers all messages. ` +
      'Lambda deletes messages that match no filter'
    return { filters: [], note }
  }
  return { filters: patterns.flatMap((pattern) => JSON.parse(valueIn(pattern)?.json ?? '[]')) }
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
  const { reportBatchItemFailures, maximumConcurrency, queue } = mapping
  // --no-report-batch-item-failures overrides the template.
  if (flags.reportBatchItemFailures) {
    const title = 'ReportBatchItemFailures'
    useSetting(settings, file, { name: 'reportBatchItemFailures', title, setting: reportBatchItemFailures })
  }
  if (flags.concurrency === undefined) {
    const title = 'maximum concurrency'
    useSetting(settings, file, { name: 'maximumConcurrency', title, setting: maximumConcurrency })
  }
  const { filters, note } = filtersIn(mapping, file)
  if (note !== undefined) notes.push(note)
  if (filters.length > 0) usedSettings.push(countOf(filters.length, 'filter'))
  return {
    flags: {
      ...flags,
      ...values,
      templateEnv,
      notInTemplate,
      nodeMajor: nodeMajorOf(mapping),
      codeRoot: codeRootOf(mapping),
      templateFilters: filters,
      ...(valueIn(mapping.function.recursiveLoop) === 'Allow' ? { stopsLoops: false } : {}),
      maximumMessageSize: isOwn ? valueIn(queue.maximumMessageSize) : undefined,
      contentBasedDeduplication: isOwn && valueIn(queue.contentBasedDeduplication) === true,
    } as LocalFlags,
    notes: [settingsLine(mapping, file, usedSettings, templateEnv), ...notes],
    mapping,
  }
}
