import t from 'tap'
import { isAwsHost } from './aws.ts'

t.test('hosts of AWS are not other hosts', async (t) => {
  const hosts = ['sqs.eu-west-1.amazonaws.com', 'monitoring.cn-north-1.amazonaws.com.cn', 'lambda.eu-west-1.api.aws']
  t.strictSame(hosts.filter(isAwsHost), hosts)
  for (const host of [
    'amazonaws.com.example',
    'notamazonaws.com',
    'localhost',
    'sqs.eu-west-1.localhost.localstack.cloud',
  ]) {
    t.notOk(isAwsHost(host), host)
  }
})
