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
    'inner-handler': 'Where does COMMIT go?',
    'time-budget': 'When does a batch end?',
    'rate-limit': 'How do I limit the rate?',
    concurrency: 'Why EMFILE?',
    envelopes: 'How do I read SNS, EventBridge, S3?',
    'log-ids': 'How do I get an id on every log line?',
    testing: 'How do I test a handler?',
    'other-middlewares': 'How do I use other middlewares?',
    observability: 'How do I see what happened?',
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
