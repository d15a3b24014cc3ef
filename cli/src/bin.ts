#!/usr/bin/env node
// Check the version first. On an older Node, an import could fail with an unclear error.
const { node } = process.versions
const [major = 0, minor = 0] = node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`bounded-sqs-batch needs Node 22.18 or later, but this is Node ${node}`)
  process.exit(2)
}

await import('./command.ts')

export {}
