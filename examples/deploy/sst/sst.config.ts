/// <reference path="./.sst/platform/config.d.ts" />

export default $config({
  app: () => ({ name: 'orders', home: 'aws' }),
  async run() {
    const dead = new sst.aws.Queue('Dead', {
      transform: { queue: { messageRetentionSeconds: 1209600 } },
    })
    const queue = new sst.aws.Queue('Orders', {
      visibilityTimeout: '365 seconds', // 6 × timeout + window
      dlq: { queue: dead.arn, retry: 15 },
    })
    queue.subscribe(
      {
        handler: 'src/handler.handler',
        runtime: 'nodejs24.x',
        memory: '512 MB',
        timeout: '60 seconds',
      },
      {
        batch: {
          partialResponses: true, // or Lambda deletes failed messages
          size: 100, // about as many as the handler's concurrency
          window: '5 seconds', // at least 1 for more than 10 records
        },
        transform: {
          // Invocations at a time.
          eventSourceMapping: { scalingConfig: { maximumConcurrency: 10 } },
        },
      },
    )
  },
})
