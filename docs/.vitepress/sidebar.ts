interface Section {
  readonly text: string
  readonly items: { readonly text: string; readonly link: string }[]
}

/** One entry for each page. A test checks that no page is missing. */
export const SIDEBAR: Section[] = [
  section('Start', {
    index: 'Overview',
    sam: 'AWS SAM',
    cdk: 'AWS CDK',
    serverless: 'Serverless Framework',
    terraform: 'Terraform',
    sst: 'SST',
    modules: 'ES modules, CommonJS, TypeScript',
  }),
  section('Guides', {
    deploy: 'Which settings matter?',
    'batch-size': 'How large may a batch be?',
    failures: 'What is reported?',
    outages: 'How long may an outage last?',
    crashes: 'What if a message crashes it?',
    fifo: 'What happens on a FIFO queue?',
    'failure-handlers': 'How do I handle failed records?',
    'dead-letters': 'How do I use dead letters and backoff?',
    databases: 'How many database connections?',
    'inner-handler': 'What may my own inner handler return?',
    'time-budget': 'When does a batch end?',
    'rate-limit': 'How do I limit the rate?',
    concurrency: 'Why EMFILE?',
    envelopes: 'How do I read SNS, EventBridge, S3?',
    'log-ids': 'How do I get an id on every log line?',
    testing: 'How do I test a handler?',
    'other-middlewares': 'How do I use other middlewares?',
    observability: 'How do I see what happened?',
    monitoring: 'Sentry, Datadog, New Relic',
    operations: 'How do I pause, redrive, retry, deploy?',
    'not-invoked': 'Why does Lambda not read my queue?',
    'deployment-errors': 'Why does AWS refuse my deployment?',
    troubleshooting: 'Troubleshooting by error text',
  }),
  section('Tools', {
    local: 'local',
    'local-flags': 'Flags of local',
    'local-reference': 'How local imitates AWS',
    doctor: 'doctor',
    'doctor-ci': 'doctor in cdk synth and GitHub',
    'doctor-flags': 'Flags of doctor',
    'doctor-rules': 'Rules of doctor',
    tune: 'tune',
    'tune-flags': 'Flags of tune',
    simulators: 'LocalStack, ElasticMQ, moto, SAM',
  }),
  section('Reference', {
    options: 'Options',
    functions: 'Functions',
    errors: 'Errors',
    warnings: 'Warnings',
    channels: 'Summary and channels',
    types: 'Types',
  }),
  section('Evidence', {
    benchmarks: 'Benchmarks',
    reliability: 'Reliability',
    'on-aws': 'On AWS',
    'adaptive-concurrency': 'Adaptive concurrency',
    versioning: 'Versions and support',
  }),
  section('Moving', {
    'from-middy-6': 'From Middy 6',
    'from-sqs-partial-batch-failure': 'From @middy/sqs-partial-batch-failure',
    'from-powertools-batch': 'From Powertools batch',
  }),
]

function section(text: string, pages: Record<string, string>): Section {
  const items = Object.entries(pages).map(([page, title]) => ({
    text: title,
    link: page === 'index' ? '/' : `/${page}`,
  }))
  return { text, items }
}
