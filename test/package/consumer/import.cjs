const assert = require('node:assert/strict')

async function main() {
  const { default: middy } = await import('@middy/core')
  const library = await import('middy-bounded-sqs-batch')
  const { useLibrary } = await import('./use-library.mjs')
  await useLibrary(middy, library)
  const { invoke } = await import('middy-bounded-sqs-batch/testing')
  assert.equal(typeof invoke, 'function')
  console.log('done')
}

main()
