import assert from 'node:assert/strict'
import middy from '@middy/core'
import * as library from 'middy-bounded-sqs-batch'
import { useLibrary } from './use-library.mjs'

// No top-level await: this file is bundled as CommonJS, too.
async function main() {
  await useLibrary(middy, library)
  for (const path of ['dist/index.js', 'dist/fan-out.js', 'package.json']) {
    await assert.rejects(import(`middy-bounded-sqs-batch/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
  }
  console.log('done')
}

main()
