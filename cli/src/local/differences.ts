import { readFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { MODULE_TYPE, nearest } from '../code/commonjs.ts'
import type { Ledger } from './ledger.ts'
import { DEFAULT_MAX_RECEIVES, type LocalFlags } from './options.ts'
import type { RunOptions } from './run.ts'

interface Difference {
  /** `flags` also has the settings of the template. */
  concerns: (ledger: Ledger, options: RunOptions, flags: LocalFlags) => boolean
  text: (options: RunOptions) => string
}

const isOwn = ({ queue }: RunOptions) => !('queueUrl' in queue)

/** The package.json that makes a `.js` file an ES module, if it is not in the folder of the file. */
function packageAbove({ function: { file } }: RunOptions): string | undefined {
  const folder = dirname(resolve(file))
  const manifest = file.endsWith('.js') ? nearest(folder, 'package.json') : undefined
  if (manifest === undefined || dirname(manifest) === folder) return undefined
  return MODULE_TYPE.test(readFileSync(manifest, 'utf8')) ? manifest : undefined
}

/** What a run cannot imitate, or does on purpose in another way. The page docs/local-reference.md has the same rows. */
const DIFFERENCES: readonly Difference[] = [
  {
    // With --duplicates, messages are also redelivered without a failure.
    concerns: ({ redelivered, failedInvocations, causes }, options) =>
      redelivered > 0 &&
      failedInvocations + Object.keys(causes).length > 0 &&
      isOwn(options) &&
      options.mapping.retryAfter !== undefined,
    text: ({ mapping }) =>
      `failed messages were redelivered after ${mapping.retryAfter} s, and not after their visibility timeout (--retry-after off)`,
  },
  {
    concerns: ({ deadLettered }, options, { maxReceives }) =>
      deadLettered > 0 && isOwn(options) && maxReceives === undefined,
    text: () =>
      `messages were dead-lettered after ${DEFAULT_MAX_RECEIVES} deliveries. On AWS, use at least 5 (--max-receives)`,
  },
  {
    concerns: (_ledger, { function: { file } }) => /\.m?ts$/.test(file),
    text: () => 'Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
  },
  {
    concerns: (_ledger, options) => packageAbove(options) !== undefined,
    text: (options) =>
      `${relative('.', packageAbove(options) ?? '')} makes ${basename(options.function.file)} an ES module. Lambda needs that file too: deploy it, or name the handler's file .mjs`,
  },
  {
    concerns: (_ledger, { function: { timeout = 0 } }) => timeout > 900_000,
    text: () => 'the timeout was enforced. Only Lambda Managed Instances allow more than 900 s, and do not enforce it',
  },
  {
    concerns: (_ledger, { seed }) => seed === false,
    text: () => 'messages were sent in order (--in-order). A standard queue does not keep the order',
  },
]

/** The differences from AWS that concern a run. */
export function differencesOf(ledger: Ledger, options: RunOptions, flags: LocalFlags): string[] {
  return DIFFERENCES.filter(({ concerns }) => concerns(ledger, options, flags)).map(({ text }) => text(options))
}
