import assert from 'node:assert/strict'
import middy from '@middy/core'
import * as library from 'middy-bounded-sqs-batch'
import { useLibrary } from './use-library.mjs'

// There is no top-level await, because this file is also bundled as CommonJS.
async function main() {
  await useLibrary(middy, library)
  for (const path of ['dist/index.js', 'dist/fan-out.js', 'package.json']) {
    await assert.rejects(import(`middy-bounded-sqs-batch/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
  }
  console.log('done')
}

main()
