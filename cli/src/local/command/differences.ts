import { readFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { MODULE_TYPE, nearest } from '../../code/commonjs.ts'
import type { Ledger } from '../simulator/ledger.ts'
import { isTypeScript } from '../simulator/node-flags.ts'
import type { RunOptions } from '../simulator/run.ts'

const isOwn = ({ queue }: RunOptions) => !('queueUrl' in queue)

/** The package.json that makes a `.js` file an ES module, if it is not in the folder of the file. */
function packageAbove(file: string): string | undefined {
  const folder = dirname(resolve(file))
  const manifest = file.endsWith('.js') ? nearest(folder, 'package.json') : undefined
  if (manifest === undefined || dirname(manifest) === folder) return undefined
  return MODULE_TYPE.test(readFileSync(manifest).toString()) ? manifest : undefined
}

/**
 * What a run cannot imitate, or does on purpose in another way: a text if it concerns this run. The page
 * docs/local-reference.md has the same rows.
 */
const DIFFERENCES: readonly ((ledger: Ledger, options: RunOptions) => string | false)[] = [
  // With --duplicates, messages are also redelivered without a failure.
  ({ redelivered, failedInvocations, causes }, options) =>
    redelivered > 0 &&
    failedInvocations + Object.keys(causes).length > 0 &&
    isOwn(options) &&
    options.mapping.retryAfter !== undefined &&
    `failed messages were redelivered after ${options.mapping.retryAfter} s, and not after their visibility timeout (--retry-after off)`,
  (_ledger, { function: { file } }) =>
    isTypeScript(file) &&
    'Node removed the types from TypeScript. Lambda needs JavaScript: also run the bundle that you deploy',
  (_ledger, { function: { file } }) => {
    const manifest = packageAbove(file)
    return (
      manifest !== undefined &&
      `${relative(process.cwd(), manifest)} makes ${basename(file)} an ES module. Lambda needs that file too: deploy it, or name the handler's file .mjs`
    )
  },
  (_ledger, { function: { timeout = 0 } }) =>
    timeout > 900_000 &&
    'the timeout was enforced. Only Lambda Managed Instances allow more than 900 s, and do not enforce it',
]

/** The differences from AWS that concern a run. */
export function differencesOf(ledger: Ledger, options: RunOptions): string[] {
  return DIFFERENCES.flatMap((difference) => difference(ledger, options) || [])
}
