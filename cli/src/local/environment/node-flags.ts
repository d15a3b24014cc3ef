import { isTypeScript } from '../../shared/handler-file.ts'

/**
 * The flags with which Lambda limits the memory of Node. Without the first flag, the process needs far more
 * memory than on Lambda. Measured with 128 MB and HTTP calls: 201 MB instead of 122 MB.
 */
export function heapFlags(memory: number): string[] {
  return [`--max-semi-space-size=${Math.floor(memory * 0.05)}`, `--max-old-space-size=${Math.floor(memory * 0.9)}`]
}

/**
 * The flags with which Lambda turns off `require()` of ES modules, and ES syntax in a `.js` file without
 * `"type"`. As on Lambda, NODE_OPTIONS with the opposite flag removes a flag. In Node, the command line
 * overrides NODE_OPTIONS. A bundler decides for itself what kind of module a TypeScript file is, so ES syntax
 * is always allowed there.
 */
export function loadingFlags(file: string, nodeOptions: string): string[] {
  const flags = ['--no-experimental-require-module', ...(isTypeScript(file) ? [] : ['--no-experimental-detect-module'])]
  const given = nodeOptions.split(/[\s"]+/)
  return flags.filter((flag) => !given.includes(flag.replace('--no-', '--')))
}

/** Whether NODE_OPTIONS or a command opens the inspector. */
export function opensInspector(flags: string): boolean {
  return /(^|[\s"])--inspect/.test(flags)
}
