const assert = require('node:assert/strict')
const { __esModule, ...library } = require('middy-bounded-sqs-batch')
const { useLibrary } = require('./use-library.mjs')

for (const path of ['dist/index.js', 'dist/fan-out.js', 'package.json']) {
  assert.throws(() => require(`middy-bounded-sqs-batch/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
}

// @middy/core 7 has no `require` condition: import() reaches it from CommonJS.
import('@middy/core').then(({ default: middy }) => useLibrary(middy, library))
