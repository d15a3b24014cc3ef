// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { resolve } from 'node:path'
import { test } from 'tap'
import { type Code, codeSearch } from '../../src/code-search/search.ts'
import { resourcesIn } from '../../src/template/declarations.ts'
import { parseDocument } from '../../src/template/document.ts'
import { scopeOf } from '../../src/template/scope.ts'
import { filesIn } from '../support/files.ts'

const FOLDER = resolve('/app/out')

/** The code of the function in a template. */
function codeOfTemplate(text: string, folder = FOLDER): Code {
  const scope = scopeOf(parseDocument('template.yaml', text), new Map(), { folder })
  return (
    resourcesIn(scope)
      .find(({ id }) => id === 'Handler')
      ?.code?.() ?? {}
  )
}

/** The code of a function with these properties and this metadata. */
function codeIn(properties: string, metadata = '{}', folder = FOLDER) {
  const text = `Resources: { Handler: { Type: AWS::Lambda::Function, Properties: ${properties}, Metadata: ${metadata} } }`
  return codeOfTemplate(text, folder)
}

const NOTHING = { places: [], handler: undefined, runtime: undefined, entries: [], folder: FOLDER }
const REASON = 'the template does not say which local file has the code'
const IMAGE = { folder: FOLDER, reason: 'the code is in a container image' }

for (const [title, properties, expected] of [
  ['nothing', '{}', { ...NOTHING, reason: REASON }],
  [
    'a handler and a runtime',
    '{ Handler: app.handler, Runtime: nodejs24.x }',
    { ...NOTHING, handler: 'app.handler', runtime: 'nodejs24.x', reason: REASON },
  ],
  [
    'code in the template, in SAM',
    '{ InlineCode: text, Handler: index.handler, Runtime: nodejs24.x, CodeUri: src }',
    { inline: 'text', handler: 'index.handler', runtime: 'nodejs24.x' },
  ],
  [
    'code in the template, in CloudFormation',
    '{ Code: { ZipFile: text } }',
    { inline: 'text', handler: undefined, runtime: undefined },
  ],
  ['a container image', '{ PackageType: Image, CodeUri: src }', IMAGE],
  ['a container image in a registry', '{ ImageUri: !ImportValue x }', IMAGE],
] as const) {
  test(`the code of a function: ${title}`, async (t) => {
    t.strictSame(codeIn(properties), expected)
  })
}

for (const [title, properties, places, reason, metadata] of [
  ['CodeUri', '{ CodeUri: src }', ['src', 'asset.src', '../asset.src']],
  ['Code', '{ Code: src }', ['src', 'asset.src', '../asset.src']],
  ['CodeUri before Code', '{ CodeUri: src, Code: lib }', ['src', 'asset.src', '../asset.src']],
  [
    'an archive',
    '{ CodeUri: ../dist/orders.v2.zip, PackageType: Zip }',
    [
      '../dist/orders.v2.zip',
      'orders.v2.zip',
      'asset.orders.v2.zip',
      'asset.orders.v2',
      '../asset.orders.v2.zip',
      '../asset.orders.v2',
    ],
  ],
  [
    'a text with a reference',
    "{ CodeUri: !Sub '${AWS::Region}' }",
    ['${AWS::Region}', 'asset.${AWS::Region}', '../asset.${AWS::Region}'],
  ],
  [
    'an asset of the CDK',
    '{ Code: { S3Bucket: bucket, S3Key: ab.zip } }',
    ['asset.cd', 'ab.zip', 'asset.ab.zip', 'asset.ab', '../asset.ab.zip', '../asset.ab'],
    undefined,
    '{ aws:asset:path: asset.cd }',
  ],
  [
    'an asset of the CDK, before CodeUri',
    '{ CodeUri: src }',
    ['asset.cd', 'asset.asset.cd', 'asset.asset', '../asset.asset.cd', '../asset.asset'],
    undefined,
    '{ aws:asset:path: asset.cd }',
  ],
  [
    'a key in a bucket, in CloudFormation',
    '{ Code: { S3Bucket: bucket, S3Key: a/b.zip } }',
    ['b.zip', 'asset.b.zip', 'asset.b', '../asset.b.zip', '../asset.b'],
    REASON,
  ],
  [
    'a key in a bucket, in SAM',
    '{ CodeUri: { Bucket: bucket, Key: b.zip } }',
    ['b.zip', 'asset.b.zip', 'asset.b', '../asset.b.zip', '../asset.b'],
    REASON,
  ],
  ['an address in a bucket', '{ CodeUri: s3://bucket/a }', ['a', 'asset.a', '../asset.a'], REASON],
  ['a folder that is named as a bucket', "{ CodeUri: 'a/s3:b' }", ['a/s3:b', 's3:b', 'asset.s3:b', '../asset.s3:b']],
] as const) {
  test(`where the code of a function may be: ${title}, ${properties}`, async (t) => {
    const code = codeIn(properties, metadata)
    t.strictSame(
      code.places,
      places.map((place: string) => resolve(FOLDER, place)),
    )
    t.equal(code.reason, reason)
  })
}

test('a key in a bucket has code if its file is beside the template', async (t) => {
  const properties = '{ Code: { S3Bucket: bucket, S3Key: ab.zip } }'
  const root = filesIn(t, { 'out/asset.ab/index.js': '' })
  t.equal(codeIn(properties, '{}', resolve(root, 'out')).reason, undefined)
  t.equal(codeIn(properties, '{}', resolve(root, 'out/asset.ab')).reason, undefined, 'the folder around it')
  t.equal(codeIn(properties, '{}', root).reason, REASON)
})

test('the entry points of the build', async (t) => {
  const entries = (list: string) => codeIn('{ CodeUri: src }', `{ BuildProperties: { EntryPoints: ${list} } }`).entries
  t.strictSame(entries('[a.ts, [b.ts], !Ref AWS::NoValue, c.ts]'), ['a.ts', 'c.ts'])
  t.strictSame(entries('!Ref Other'), [])
})

for (const [metadata, isBuilt] of [
  ['{}', undefined],
  ['{ BuildMethod: makefile }', true],
  ['{ BuildMethod: nodejs24.x }', undefined],
  ['{ BuildProperties: { EntryPoints: [a.ts] } }', true],
] as const) {
  test(`whether a build makes the code, with the metadata ${metadata}`, async (t) => {
    t.equal(codeIn('{ CodeUri: src }', metadata).isBuilt, isBuilt)
  })
}

test('without CodeUri, SAM uses the folder of the template', async (t) => {
  const places = (type: string) => codeOfTemplate(`Resources: { Handler: { Type: ${type} } }`).places
  t.strictSame(places('AWS::Serverless::Function'), [FOLDER])
  t.strictSame(places('AWS::Serverless::Function, Properties: { CodeUri: !ImportValue x }'), [])
  t.strictSame(places('AWS::Lambda::Function'), [])
})

test('the output of the Serverless Framework: the code is in the folder around it', async (t) => {
  const root = filesIn(t, { 'src/ship.mjs': 'batchItemFailures.push(id)', '.serverless/x.json': '' })
  const folder = resolve(root, '.serverless')
  const code = codeIn('{ Code: { S3Key: orders.zip }, Handler: src/ship.handler, Runtime: nodejs24.x }', '{}', folder)
  t.equal(codeSearch(root)(code).reports, 'batchItemFailures in src/ship.mjs')
})
