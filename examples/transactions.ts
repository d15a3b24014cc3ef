/** Stores each order in a transaction of its own, with the id of its message, so that a second delivery changes nothing. */
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import pg from 'pg'

// As many connections as handlers run. The library reads the same variable.
const concurrency = Number(process.env.BOUNDED_SQS_BATCH_CONCURRENCY) || 5
const pool = new pg.Pool({ max: concurrency, connectionTimeoutMillis: 5_000, query_timeout: 10_000 })
// Without a listener, a lost idle connection ends the process.
pool.on('error', (error) => console.error('connection:', error.message))

export const handler = middy()
  .use(boundedSqsBatch({ concurrency }))
  .handler(
    eachRecord(async ({ messageId, body }) => {
      const client = await pool.connect()
      let isCommitted = false
      try {
        await client.query('BEGIN')
        const { rowCount } = await client.query('INSERT INTO messages VALUES ($1) ON CONFLICT DO NOTHING', [messageId])
        // There is no new row if the message was already processed.
        if (rowCount === 1) {
          await client.query('INSERT INTO orders VALUES ($1, 1)', [body])
        }
        await client.query('COMMIT')
        isCommitted = true
      } finally {
        // `true` closes the connection, which undoes the transaction.
        client.release(!isCommitted)
      }
    }),
  )
