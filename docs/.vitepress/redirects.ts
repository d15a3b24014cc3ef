/** Pages that were merged into others: their addresses lead to the new place. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The new page and section of each old page. */
export const REDIRECTS: Record<string, string> = {
  benchmarks: 'versioning#benchmarks',
  channels: 'observability#channels',
  concurrency: 'batch-size#concurrency',
  'deployment-errors': 'troubleshooting#aws-refuses-the-deployment',
  'doctor-ci': 'doctor#cdk-synth',
  'doctor-flags': 'flags#doctor',
  errors: 'reference#errors',
  'from-middy-6': 'from-sqs-partial-batch-failure#from-middy-6',
  functions: 'reference#middleware-and-handlers',
  'inner-handler': 'other-middlewares#your-own-inner-handler',
  'local-flags': 'flags#local',
  'log-ids': 'observability#an-id-on-every-log-line',
  options: 'reference#options',
  reliability: 'versioning#is-it-safe-in-production',
  sam: 'deploy#aws-sam',
  serverless: 'deploy#serverless-framework',
  simulators: 'testing#localstack-elasticmq-moto-aws-emulator-or-sam',
  sst: 'deploy#sst',
  terraform: 'deploy#terraform',
  'tune-flags': 'flags#tune',
  types: 'reference#types',
  validation: 'envelopes',
  warnings: 'troubleshooting#warnings',
}

/**
 * Writes a page for each old address. GitHub Pages cannot redirect, so the page does. Most sections have kept their anchors,
 * and those of flags begin with the command. Without JavaScript, the old anchor is lost.
 */
export function writeRedirects(folder: string, base: string): void {
  for (const [page, target] of Object.entries(REDIRECTS)) {
    const [path = '', anchor = ''] = target.split('#')
    const prefix = path === 'flags' ? `${anchor}-` : ''
    const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>This page has moved</title>
<link rel="canonical" href="${base}${path}">
<script>
const anchor = location.hash.slice(1)
location.replace('${base}${path}#' + (anchor ? '${prefix}' + anchor : '${anchor}'))
</script>
<meta http-equiv="refresh" content="1; url=${base}${target}">
<p>This page has moved: <a href="${base}${target}">${path}</a></p>
</html>
`
    writeFileSync(join(folder, `${page}.html`), html)
  }
}
