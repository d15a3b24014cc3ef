import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { createReader } from '../../src/template/reader.ts'
import { createResolver } from '../../src/template/resolve.ts'
import { serverlessIn } from '../../src/template/serverless.ts'
import { filesIn } from '../support/files.ts'

const TEMPLATE = `
Outputs: { ServerlessDeploymentBucketName: { Value: x } }
Resources:
  ShipDashitLambdaFunction: { Type: AWS::Lambda::Function }
  AUnderscorebLambdaFunction: { Type: AWS::Lambda::Function }
  QueueLambdaFunction: { Type: AWS::SQS::Queue }
`

/** The function of serverless.yml that makes a resource, or why there is none. */
function functionOf(folder: string, id: string, template = TEMPLATE) {
  const find = serverlessIn(createReader(createResolver(parseDocument('template.json', template), new Map()), folder))
  return find ? find(id) : 'not of the Serverless Framework'
}

test('a template of another tool', async (t) => {
  const template = TEMPLATE.replace('ServerlessDeploymentBucketName', 'Other')
  t.equal(functionOf('/nowhere', 'ShipDashitLambdaFunction', template), 'not of the Serverless Framework')
})

for (const [id, expected] of [
  ['ShipDashitLambdaFunction', 'functions.ship-it'],
  ['ShipDashitEventSourceMappingSQSQueueDashone', 'functions.ship-it'],
  ['ShipDashitEventSourceMappingSQS', 'functions.ship-it'],
  ['AUnderscorebLambdaFunction', 'functions.a_b'],
  ['QueueLambdaFunction', undefined],
  ['GoneLambdaFunction', undefined],
  ['ShipDashitLambdaFunctionX', undefined],
  ['ShipDashitEventSourceMappingSQS-x', undefined],
  ['x/ShipDashitLambdaFunction', undefined],
  ['LambdaFunction', undefined],
  ['Queue', undefined],
] as const) {
  test(`the function of serverless.yml that makes ${id}`, async (t) => {
    t.equal(functionOf('/nowhere', id), expected)
  })
}

for (const [title, state, expected] of [
  ['the name begins with a capital letter', '{"service":{"functions":{"other":{},"Ship-it":{}}}}', 'functions.Ship-it'],
  ['the name begins with a small letter', '{"service":{"functions":{"ship-it":{}}}}', 'functions.ship-it'],
  ['an underscore', '{"service":{"functions":{"Ship_it":{}}}}', 'functions.ship-it'],
  ['no functions', '{"service":{}}', 'functions.ship-it'],
  ['functions that are text', '{"service":{"functions":"Ship-it"}}', 'functions.ship-it'],
  ['a service that is text', '{"service":"x"}', 'functions.ship-it'],
  ['no service', '{}', 'functions.ship-it'],
  ['no JSON', 'x', 'functions.ship-it'],
] as const) {
  test(`the names in serverless-state.json: ${title}`, async (t) => {
    const folder = filesIn(t, { 'serverless-state.json': state })
    t.equal(functionOf(folder, 'ShipDashitLambdaFunction'), expected)
  })
}

test('every dash and every underscore of a name', async (t) => {
  const template = TEMPLATE.replace('ShipDashit', 'ADashbDashcUnderscoredUnderscoree')
  t.equal(functionOf('/nowhere', 'ADashbDashcUnderscoredUnderscoreeLambdaFunction', template), 'functions.a-b-c_d_e')
  const folder = filesIn(t, { 'serverless-state.json': '{"service":{"functions":{"A-b-c_d_e":{}}}}' })
  t.equal(functionOf(folder, 'ADashbDashcUnderscoredUnderscoreeLambdaFunction', template), 'functions.A-b-c_d_e')
})
