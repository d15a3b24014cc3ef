// With the flags of Lambda, require() does not load an ES module. docs/api.md has this error.
const assert = require('node:assert/strict')

for (const [name, file] of [
  ['middy-bounded-sqs-batch', 'index.js'],
  ['middy-bounded-sqs-batch/testing', 'testing/index.js'],
]) {
  assert.throws(
    () => require(name),
    ({ code, message }) => {
      assert.equal(code, 'ERR_REQUIRE_ESM')
      const [required, advice] = message.split('\n')
      const path = require.resolve(name)
      assert.ok(path.endsWith(`node_modules/middy-bounded-sqs-batch/dist/${file}`))
      assert.equal(required, `require() of ES Module ${path} from ${__filename} not supported.`)
      assert.equal(
        advice,
        `Instead change the require of index.js in ${__filename} to a dynamic import() which is available in all CommonJS modules.`,
      )
      return true
    },
  )
}
console.log('done')
