import { test } from 'tap'
import { UsageError } from '../../src/shared/errors.ts'
import { parseDocument } from '../../src/template/document.ts'
import { checkAllowed, chosenValues } from '../../src/template/parameters.ts'

test('a value that is not allowed is refused', (t) => {
  const document = parseDocument('template.yaml', 'Parameters: { P: { AllowedValues: [a, 2] } }')
  for (const values of [[], [['P', '2']], [['Q', 'b']]] as [string, string][][]) checkAllowed(document, new Map(values))
  const error = new UsageError('--parameter P=b: the template allows a, 2')
  t.throws(() => checkAllowed(document, new Map([['P', 'b']])), error)
  t.end()
})

test('the value of a parameter with allowed values: the default, or the first one', (t) => {
  const parameters =
    '{ P: { AllowedValues: [a, 2], Default: 2 }, Q: { AllowedValues: [7, b] }, R: { AllowedValues: [] }, S: {} }'
  const chosen = chosenValues(parseDocument('template.yaml', `Parameters: ${parameters}\nResources: {}\n`))
  t.strictSame(
    [...chosen],
    [
      ['P', { name: 'P', value: '2', isDefault: true }],
      ['Q', { name: 'Q', value: '7', isDefault: false }],
    ],
  )
  t.end()
})
