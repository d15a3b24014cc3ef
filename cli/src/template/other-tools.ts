import { UsageError } from '../shared/errors.ts'

// Files of tools that `doctor` does not read. It recognises their names, and says what to do.

const TERRAFORM = /\.(tf|tofu)(\.json)?$/
const SERVERLESS = /(^|[/\\])serverless(-state)?\.([cm]?[jt]s|ya?ml|json)$/
/** The program of SST, and its folder of temporary files. */
const SST = /(^|[/\\])(sst\.config\.[cm]?[jt]s$|\.sst([/\\]|$))/
const PULUMI = /(^|[/\\])Pulumi(\.[^/\\]+)?\.(ya?ml|json)$/

/** Whether the name is that of a file or folder of SST. */
export function isOfSst(path: string): boolean {
  return SST.test(path)
}

/** The names of configurations that a folder has in place of templates. */
export const CONFIGURATION = /^(serverless\.\w+|sst\.config\.\w+|Pulumi\.(ya?ml|json)|.+\.(tf|tofu))$/

/** Refuses files and folders whose name shows that they are not templates. */
export function refuseConfiguration(path: string) {
  if (SERVERLESS.test(path)) {
    const what = `${path} belongs to the Serverless Framework. Only SAM and CloudFormation templates can be read`
    const template = '.serverless/cloudformation-template-update-stack.json'
    throw new UsageError(`${what}. Run "serverless package", and use the template that it writes: ${template}`)
  }
  if (isOfSst(path) || PULUMI.test(path)) {
    const what = `${path} belongs to ${isOfSst(path) ? 'SST' : 'Pulumi'}, which doctor cannot read, so nothing was checked`
    throw new UsageError(`${what}. After the deployment, run: bounded-sqs-batch doctor --function NAME`)
  }
  if (!TERRAFORM.test(path)) return
  const what = `${path} is a Terraform configuration. doctor can read only the JSON of a plan or a state`
  const run = 'terraform plan -out plan.out && terraform show -json plan.out | bounded-sqs-batch doctor -'
  throw new UsageError(`${what}. Run: ${run}`)
}
