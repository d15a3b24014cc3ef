/**
 * Tags the released version of the command-line tool as `doctor-v1.0.0`, for workflows that use action.yml. They cannot
 * use the tag `bounded-sqs-batch@1.0.0`, because `uses:` may contain only one @.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync('cli/package.json', 'utf8'))
const tag = `doctor-v${version}`
const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
if (git('tag', '--list', tag) === '') git('tag', tag, `bounded-sqs-batch@${version}^{commit}`)
