// Handlers with the clients of a database, of HTTP and of SQS. Those in `bad` forget to await something.
import { createWriteStream } from 'node:fs'
import { get } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import pg from 'pg'

const { DATABASE_URL, SERVICE, QUEUE_URL, FILE } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 2 })
const sqs = new SQSClient()

const INSERT = 'INSERT INTO work DEFAULT VALUES'
const insert = () => pool.query(INSERT)
const send = () => sqs.send(new SendMessageCommand({ QueueUrl: QUEUE_URL, MessageBody: 'x' }))
const download = async () => (await fetch(SERVICE)).text()
const save = async () => pipeline((await fetch(SERVICE)).body, createWriteStream(FILE))
const withLibrary = (handler) => middy().use(boundedSqsBatch()).handler(eachRecord(handler))

async function transaction(end) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(INSERT)
    await end(client)
  } finally {
    client.release()
  }
}

let listening
async function listen() {
  const client = new pg.Client({ connectionString: DATABASE_URL })
  await client.connect()
  await client.query('LISTEN changes')
}

let refreshing
/** Reads settings again later, as many clients do. */
function refresh() {
  refreshing = setTimeout(refresh, 60_000)
  refreshing.unref()
}

export const fine = {
  query: async () => void (await insert()),
  queries: async () => void (await Promise.all([insert(), insert(), insert(), insert()])),
  transaction: () => transaction((client) => client.query('COMMIT')),
  clientOfOneInvocation: async () => {
    const client = new pg.Client({ connectionString: DATABASE_URL })
    await client.connect()
    await client.query(INSERT)
    await client.end()
  },
  timeLimit: async () => void (await Promise.race([insert(), sleep(60_000)])),
  subscription: async () => {
    listening ??= listen()
    await listening
    await insert()
  },
  refresh: async () => {
    if (!refreshing) refresh()
    await insert()
  },
  retry: async () => {
    await pool.query('SELECT nothing').catch(() => {})
    await insert()
  },
  send: async () => void (await send()),
  sends: async () => void (await Promise.all([send(), send(), send()])),
  download: async () => void (await download()),
  save: async () => save(),
  inEachRecord: withLibrary(insert),
  sendInEachRecord: withLibrary(send),
}

export const bad = {
  query: async () => void insert(),
  queryInForEach: async ({ Records }) => Records.forEach(insert),
  queryWithCallback: async () => void pool.query(INSERT, () => {}),
  secondQuery: async () => {
    await insert()
    insert()
  },
  commit: () => transaction((client) => void client.query('COMMIT')),
  queryAfterDownload: async () => void download().then(insert),
  send: async () => void send(),
  sendInForEach: async ({ Records }) => Records.forEach(send),
  sendAfterQuery: async () => void insert().then(send),
  download: async () => void download(),
  request: async () => void get(SERVICE, (response) => response.resume()),
  save: async () => void save(),
  inEachRecord: withLibrary(() => void insert()),
  sendInEachRecord: withLibrary(() => void send()),
}
