const assert = require('node:assert/strict')
const { __esModule, ...library } = require('middy-bounded-sqs-batch')
const { useLibrary } = require('./use-library.mjs')

async function main() {
  const { default: middy } = await import('@middy/core') // it has no CommonJS entry
  await useLibrary(middy, library)
  // Node prints the name of an error's class.
  const named = Object.entries(library).filter(([name]) => name.endsWith('Error'))
  assert.equal(named.length, 9)
  for (const [name, errorClass] of named) assert.equal(errorClass.name, name)
  for (const path of ['dist/index.js', 'dist/fan-out.js', 'package.json']) {
    assert.throws(() => require(`middy-bounded-sqs-batch/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
  }
  console.log('done')
}

main()
