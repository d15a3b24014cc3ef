import { UsageError } from '../shared/errors.ts'

const PLAN = 'terraform plan -out plan.out && terraform show -json plan.out'

/** The configurations of other tools, by their names, and what to do instead of reading them. */
const CONFIGURATIONS: readonly [name: RegExp, what: string][] = [
  [/\.(tf|tofu)(\.json)?$/, `of Terraform. Run: ${PLAN} | bounded-sqs-batch doctor -`],
  [
    /(^|[/\\])serverless(-state)?\.([cm]?[jt]s|ya?ml|json)$/,
    'of the Serverless Framework. Run "serverless package", and check the folder .serverless',
  ],
  [/(^|[/\\])(sst\.config\.ts|Pulumi\.ya?ml)$/, 'of SST or Pulumi. After its deployment, use --function NAME'],
]

export function refuseConfiguration(path: string) {
  const [, what] = CONFIGURATIONS.find(([name]) => name.test(path)) ?? []
  if (what !== undefined) throw new UsageError(`${path} is a configuration ${what}`)
}
