import { type Change, cloudFormation, sam } from './templates.ts'

/** A template of the CDK: the metadata of the function has the path of its asset. */
function cdk(change: Change, hasMetadata = true) {
  const Code = { S3Bucket: 'cdk-assets', S3Key: '1a2b.zip' }
  const { Resources } = cloudFormation({ ...change, function: { Handler: 'index.handler', Code, ...change.function } })
  const Metadata = {
    'aws:cdk:path': 'Shop/Handler/Resource',
    'aws:asset:path': 'asset.1a2b',
    'aws:asset:property': 'Code',
  }
  return { Resources: { ...Resources, Handler: { ...Resources.Handler, ...(hasMetadata ? { Metadata } : {}) } } }
}

function withCode(change: Change, code: Record<string, unknown>): Change {
  return { ...change, function: { Handler: 'index.handler', ...code, ...change.function } }
}

/** Templates whose code is in a file beside them: a title, the template, and the path of the file without its extension. */
export const CODE_INPUTS: readonly [
  title: string,
  template: (change: Change) => { Resources: object },
  file: string,
][] = [
  ['SAM, CodeUri', (change) => sam(withCode(change, { CodeUri: 'src/' })), 'src/index'],
  [
    'SAM, CodeUri in Globals',
    (change) => ({ ...sam(withCode(change, {})), Globals: { Function: { CodeUri: 'src/' } } }),
    'src/index',
  ],
  ['CloudFormation, Code', (change) => cloudFormation(withCode(change, { Code: './src' })), 'src/index'],
  ['CDK, asset', (change) => cdk(change), 'asset.1a2b/index'],
  ['CDK, without metadata', (change) => cdk(change, false), 'asset.1a2b/index'],
]
