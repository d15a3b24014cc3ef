import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { SQSMessageAttributes } from 'aws-lambda'
import { startFauxqs } from 'fauxqs'
import t from 'tap'
import { invoke, sqsEvent } from '../../src/testing/index.ts'
import { busyClock } from '../support/clock.ts'
import { LONG } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream, useEndpoint } from '../support/services.ts'
import { summaries } from '../support/tracing.ts'

t.test(
  'large-bodies.ts posts bodies from the message and from S3, and reports those that it cannot read',
  async (t) => {
    const posted: Record<string, string> = {}
    const downstream = await startDownstream(t, ({ idempotencyKey, body }) => {
      posted[idempotencyKey as string] = body
      return 202
    })
    const fauxqs = await startFauxqs({ port: 0, logger: false })
    t.teardown(() => fauxqs.stop())
    useEndpoint('S3', fauxqs.address)
    Object.assign(process.env, { DOCUMENTS_URL: downstream, BUCKET_NAME: 'bodies' })
    const s3 = new S3Client()
    t.teardown(() => s3.destroy())
    const large = 'ä'.repeat(600_000) // more than SQS accepts
    const objects = { 'new/large': large, old: 'from an older library', 'a key with ä/?&': 'odd key' }
    for (const Bucket of ['bodies', 'others']) await s3.send(new CreateBucketCommand({ Bucket }))
    for (const [Key, Body] of Object.entries(objects))
      await s3.send(new PutObjectCommand({ Bucket: 'bodies', Key, Body }))
    await s3.send(new PutObjectCommand({ Bucket: 'others', Key: 'secret', Body: 'secret' }))
    const { handler } = await import('../../examples/large-bodies.ts')

    const NEW = 'software.amazon.payloadoffloading.PayloadS3Pointer'
    const OLD = 'com.amazon.sqs.javamessaging.MessageS3Pointer'
    const pointer = (s3Key: string, name = NEW, s3BucketName = 'bodies') =>
      JSON.stringify([name, { s3BucketName, s3Key }])
    const marked = (name: string): SQSMessageAttributes => ({ [name]: { dataType: 'Number', stringValue: '1200000' } })
    const record = (messageId: string, body: string, messageAttributes = marked('ExtendedPayloadSize')) => ({
      messageId,
      body,
      messageAttributes,
    })
    const event = sqsEvent([
      record('small', 'small body', {}),
      record('new', pointer('new/large')),
      record('old', pointer('old', OLD), marked('SQSLargePayloadSize')),
      record('unmarked', pointer('new/large'), {}),
      record('odd', pointer('a key with ä/?&')),
      record('missing', pointer('none')),
      record('elsewhere', pointer('secret', NEW, 'others')),
      record('broken', 'not a pointer, a secret'),
      record('incomplete', JSON.stringify([NEW, { s3BucketName: 'bodies' }])),
    ])
    let failed: string[] = []
    const [log = ''] = await logged(async () => {
      failed = (await invoke(handler, event, { timeout: LONG })).failed.map(({ messageId }) => messageId)
    })

    t.strictSame(failed, ['missing', 'elsewhere', 'broken', 'incomplete'])
    t.strictSame(posted, {
      small: 'small body',
      new: large,
      old: 'from an older library',
      unmarked: pointer('new/large'),
      odd: 'odd key',
    })
    t.match(log, /1 × NoSuchKey: .*\[missing\]/)
    t.match(log, /1 × Error: the body of the message is in another bucket than BUCKET_NAME \[elsewhere\]/)
    t.match(log, /2 × Error: the message is marked as a body in S3, but has no bucket and key \[broken, incomplete\]/)
    t.notMatch(log, /secret/)
  },
)

t.test('large-bodies.ts has at most ten bodies in memory', async (t) => {
  busyClock(t) // on a busy machine, a body could be done before the tenth record starts
  process.env.DOCUMENTS_URL = await startDownstream(t, () => 202)
  const { handler } = await import(`../../examples/large-bodies.ts?${'bound'}`)
  const noted = summaries(t)
  const { succeeded } = await invoke(handler, sqsEvent(new Array(30).fill('body')), { timeout: LONG })
  t.equal(succeeded.length, 30)
  t.equal([...noted.values()][0]?.peakInFlight, 10)
})
