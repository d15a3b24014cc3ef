import { test } from 'tap'
import { createEditor, inline } from '../../src/doctor/edit-template.ts'
import { applyEdits } from '../support/apply-edits.ts'

/** The text with a value at a path such as `A.B`. Undefined if that is not possible. */
function edited(text: string, path: string, value: unknown) {
  const edit = createEditor(text)(path.split('.'), value)
  return edit && applyEdits(text, [edit])
}

for (const [title, text, path, value, expected] of [
  ['a value, before a comment', 'A:\n  B: 1 # c\n', 'A.B', 2, 'A:\n  B: 2 # c\n'],
  ['a value at the end of the text', 'A:\n  B: 1', 'A.B', 2, 'A:\n  B: 2'],
  ['a value at the top', 'A: 1\nB: 2\n', 'B', 3, 'A: 1\nB: 3\n'],
  ['a key in quotation marks', 'A:\n  "B": 1\n', 'A.B', 2, 'A:\n  "B": 2\n'],
  ['a key that is a number', '1: 2\n', '1', 3, '1: 3\n'],
  ['a value in quotation marks', "A: 'x'\n", 'A', 'y', 'A: y\n'],
  ['a text on several lines', 'A: |\n  x\n  y\nB: 1\n', 'A', 'z', 'A: z\nB: 1\n'],
  ['a list in lines', 'A:\n  B:\n    - 1\n    - 2\n  C: 3\n', 'A.B', [4, 5], 'A:\n  B: [4, 5]\n  C: 3\n'],
  ['a list of maps', 'A:\n  - B: 1\n    C: 2\n\nD: 3\n', 'A', [], 'A: []\n\nD: 3\n'],
  ['a map in lines', 'A:\n  B:\n    D: 1\n    E:\n      F: 2\n\n  C: 3\n', 'A.B', 5, 'A:\n  B: 5\n\n  C: 3\n'],
  ['a map whose last value is empty', 'A:\n  B: 1\n  C:\nD: 3\n', 'A', 5, 'A: 5\nD: 3\n'],
  ['a list in brackets', 'A: [1,\n  2]\nB: 3\n', 'A', 4, 'A: 4\nB: 3\n'],
  ['a map in braces', 'A: { B: 1,\n  C: 2 }\nD: 3\n', 'A', 4, 'A: 4\nD: 3\n'],
  ['a call', 'A:\n  B: !Ref X\n', 'A.B', 2, 'A:\n  B: 2\n'],
  ['an empty value', 'A:\n  B:\nC: 1\n', 'A.B', 2, 'A:\n  B: 2\nC: 1\n'],
  ['an empty value, a level below', 'A:\n  B:\nC: 1\n', 'A.B.D', 2, 'A:\n  B: { D: 2 }\nC: 1\n'],
  ['an empty value at the end of the text', 'A:\n  B:', 'A.B.C', 2, 'A:\n  B: { C: 2 }'],
  ['null, a level below', 'A:\n  B: ~ # c\n', 'A.B.D.E', 2, 'A:\n  B: { D: { E: 2 } } # c\n'],
  ['a key without a value', 'A: {B}\n', 'A.B', 2, 'A: {B: 2}\n'],
  ['a key without a value, a level below', 'A: {B, C: 1}\n', 'A.B.D', 2, 'A: {B: { D: 2 }, C: 1}\n'],
  ['a key in another notation', '0x1: 2\n', '0x1', 3, '0x1: 3\n'],
  ['a map, beside a key that is a list', '? [a]\n: 1\nA: 2\n', 'A', 3, '? [a]\n: 1\nA: 3\n'],
  ['a map before a comment', 'A:\n  B: 1 # c\n  # d\n\n# e\nC: 3\n', 'A', 5, 'A: 5 # c\n  # d\n\n# e\nC: 3\n'],
  ['a list before a comment', 'A:\n  - 1 # c\n  # d\n\n# e\nC: 3\n', 'A', 5, 'A: 5 # c\n  # d\n\n# e\nC: 3\n'],
  ['a list of maps before a comment', 'A:\n  - B: 1 # c\n# e\nC: 3\n', 'A', 5, 'A: 5 # c\n# e\nC: 3\n'],
  ['a list of braces before a comment', 'A:\n  - {} # c\n# e\nC: 3\n', 'A', 5, 'A: 5 # c\n# e\nC: 3\n'],
  ['a key that occurs twice: the first', 'A: 1\nA: 2\n', 'A', 3, 'A: 3\nA: 2\n'],
  ['a new key', 'A:\n  B: 1\n', 'A.C', 2, 'A:\n  C: 2\n  B: 1\n'],
  ['a new key at the top', 'A:\n  B: 1\n', 'C', 2, 'C: 2\nA:\n  B: 1\n'],
  ['a new key, and a key below', 'A:\n    B: 1\n', 'A.C.D.E', 2, 'A:\n    C: { D: { E: 2 } }\n    B: 1\n'],
  ['a new key in braces', 'A: { B: 1 }\n', 'A.C', 2, 'A: { C: 2, B: 1 }\n'],
  ['a new key in braces on lines', 'A: {\n  B: 1\n}\n', 'A.C', 2, 'A: {\n  C: 2,\n  B: 1\n}\n'],
  ['a new key in empty braces', 'A: {}\n', 'A.C', 2, 'A: { C: 2 }\n'],
  ['a new key in a list item', 'A: { B: 1 }\n', 'A.C.D', ['x', true], 'A: { C: { D: [x, true] }, B: 1 }\n'],
  ['a new key beside Ref', 'A: { Ref: X, B: 1 }\n', 'A.C', 2, 'A: { C: 2, Ref: X, B: 1 }\n'],
  ['a new key beside Condition', 'A:\n  Condition: X\n  B: 1\n', 'A.C', 2, 'A:\n  C: 2\n  Condition: X\n  B: 1\n'],
  ['a new key beside Conditions', 'A: { Conditions: X }\n', 'A.C', 2, 'A: { C: 2, Conditions: X }\n'],
  ['a new key beside RefX', 'A: { RefX: X }\n', 'A.C', 2, 'A: { C: 2, RefX: X }\n'],
  ['a new key beside XRef', 'A: { XRef: X }\n', 'A.C', 2, 'A: { C: 2, XRef: X }\n'],
  ['a new key in a map with a tag of YAML', 'A: !!map { B: 1 }\n', 'A.C', 2, 'A: !!map { C: 2, B: 1 }\n'],
  ['JSON: a value', '{"A":{"B":1}}', 'A.B', 2, '{"A":{"B": 2}}'],
  ['JSON: a new key', '{"A":{"B":1}}', 'A.C', 2, '{"A":{"C": 2, "B":1}}'],
  [
    'JSON: a new key on a line',
    '{\n  "A": {\n    "B": 1\n  }\n}',
    'A.C',
    2,
    '{\n  "A": {\n    "C": 2,\n    "B": 1\n  }\n}',
  ],
  ['JSON: a new key in an empty map', '{"A":{}}', 'A.C', 2, '{"A":{ "C": 2 }}'],
  ['JSON: null, a level below', '{"A":null}', 'A.B', 2, '{"A": { "B": 2 }}'],
  ['JSON after an empty line', '\n {"A":{"B":1}}', 'A.C', 'x', '\n {"A":{"C": "x", "B":1}}'],
  ['JSON: a list', '{\n "A": [\n  1\n ]\n}', 'A', ['x'], '{\n "A": ["x"]\n}'],
] as const) {
  test(`${title} is set`, async (t) => t.equal(edited(text, path, value), expected))
}

for (const [title, text, path] of [
  ['a call in a tag', 'A: !Ref X\n', 'A.B'],
  ['a call in a tag, of a map', 'A: !Transform { Name: x }\n', 'A.B'],
  ['a call of Ref', 'A: { Ref: X }\n', 'A.B'],
  ['a call of Fn::If', 'A: { "Fn::If": [X, {}, {}] }\n', 'A.B'],
  ['a call of Condition', 'A: { Condition: X }\n', 'A.B'],
  ['an alias', 'X: &x { B: 1 }\nA: *x\n', 'A.B'],
  ['a text', 'A: 5\n', 'A.B'],
  ['a list', 'A: [1]\n', 'A.B'],
  ['an empty document', '', 'A'],
  ['a document that is a list', '- A\n', 'A'],
] as const) {
  test(`nothing is set in ${title}`, async (t) => t.equal(edited(text, path, 1), undefined))
}

test('nothing is set at an empty path', async (t) => t.equal(createEditor('A: 1')([], 1), undefined))

test('the position of an edit, in lines and columns from 1', async (t) => {
  const edit = createEditor('A:\n  B: [1,\n   2] # c\n')
  t.strictSame(edit(['A', 'B'], 2), { startLine: 2, startColumn: 3, endLine: 3, endColumn: 6, text: 'B: 2' })
  t.strictSame(edit(['A', 'C'], 2), { startLine: 2, startColumn: 3, endLine: 2, endColumn: 3, text: 'C: 2\n  ' })
  t.strictSame(edit(['C'], 2), { startLine: 1, startColumn: 1, endLine: 1, endColumn: 1, text: 'C: 2\n' })
})

const VALUE = { a: [1, 'b:"c,1', { d: true }], e: null }
test('a value on one line', async (t) => {
  t.equal(inline(VALUE, true), '{ "a": [1, "b:\\"c,1", { "d": true }], "e": null }')
  t.strictSame(JSON.parse(inline(VALUE, true)), VALUE)
  t.equal(inline({ a: [1, 'b', { d: true }], e: null }, false), '{ a: [1, b, { d: true }], e: null }')
  t.equal(inline({ 'Fn::GetAtt': ['Dead', 'Arn'] }, false), '!GetAtt Dead.Arn')
  t.equal(inline({ 'Fn::GetAtt': ['Dead', 'Arn'] }, true), '{ "Fn::GetAtt": ["Dead", "Arn"] }')
  t.equal(inline({ 'Fn::GetAtt': ['a', 'b'], c: 1 }, false), '{ Fn::GetAtt: [a, b], c: 1 }')
  t.equal(inline({ 'Fn::Join': ['a', 'b'] }, false), '{ Fn::Join: [a, b] }')
})
