// biome-ignore-all lint/suspicious/noTemplateCurlyInString: text of templates
import { test } from 'tap'
import { entriesOf, knownText, type Tree } from '../../src/model/tree.ts'
import { UsageError } from '../../src/shared/errors.ts'
import { mapAt, nodesIn, parseDocument } from '../../src/template/document.ts'

type Position = [line: number, column: number]
const scalar = (value: unknown, [line, column]: Position) => {
  const position = { line, column }
  return value === null ? { state: 'absent', position } : { state: 'known', value, position }
}
const list = (items: readonly unknown[], [line, column]: Position) => ({
  state: 'list',
  items,
  position: { line, column },
})
const map = (entries: Record<string, unknown>, [line, column]: Position) => ({
  state: 'map',
  entries: new Map(Object.entries(entries)),
  position: { line, column },
})
const parse = (text: string) => parseDocument('template', text)

/** The value of the key `a`. */
function valueAtA(text: string): Tree {
  return mapAt(parse(text), 'a')
}

test('a JSON document', async (t) => {
  t.strictSame(
    parse(' {\n\t"a": "b",\n "c": [1, true, null, {"d": {}}] }'),
    map(
      {
        a: scalar('b', [2, 2]),
        c: list(
          [scalar(1, [3, 8]), scalar(true, [3, 11]), scalar(null, [3, 17]), map({ d: map({}, [3, 24]) }, [3, 23])],
          [3, 2],
        ),
      },
      [1, 1],
    ),
  )
})

test('a YAML document', async (t) => {
  t.strictSame(
    parse('a: b\nc:\n  - 1\n  - true\n  - ~\n  - d: {}\n  -\n'),
    map(
      {
        a: scalar('b', [1, 1]),
        c: list(
          [
            scalar(1, [3, 5]),
            scalar(true, [4, 5]),
            scalar(null, [5, 5]),
            map({ d: map({}, [6, 5]) }, [6, 5]),
            scalar(null, [7, 4]),
          ],
          [2, 1],
        ),
      },
      [1, 1],
    ),
  )
})

for (const [title, text, value] of [
  ['text', 'a: b', 'b'],
  ['quoted text', "a: '1'", '1'],
  ['a block of text', 'a: |\n  b\n  c\n', 'b\nc\n'],
  ['a number', 'a: 1.5', 1.5],
  ['a boolean', 'a: yes', true],
  ['null', 'a: ~', null],
  ['nothing', 'a:', null],
  ['a key without a value', '? a', null],
  ['a date', 'a: 2010-09-09', '2010-09-09'],
  ['a dot', 'a: .', '.'],
  ['not a number', 'a: .nan', '.nan'],
  ['a tag of YAML', 'a: !!str 1', '1'],
  ['a dash', "a: '-'", '-'],
  ['quoted text that looks like a list with a dash', "a: '[-, b]'", '[-, b]'],
] as const) {
  test(`a scalar in YAML: ${title}`, async (t) => {
    t.match(valueAtA(text), value === null ? { state: 'absent' } : { state: 'known', value })
  })
}

for (const [text, ...texts] of [
  ['[-, [b]]', '-'],
  ['[ -, [b]]', '-'],
  ['[b, -]', 'b', '-'],
  ['[-, -, b, "-, c"] # [-, d]', '-', '-', 'b', '-, c'],
  ['{ b: -, c: d }', '-', 'd'],
] as const) {
  test(`a dash without quotes in a flow list or map: ${text}`, async (t) => {
    const value = valueAtA(`a: ${text}`)
    const parts = value.state === 'list' ? value.items : entriesOf(value).map(([, part]) => part)
    t.strictSame(
      parts.flatMap((part) => knownText(part) ?? []),
      texts,
    )
  })
}

test('a dash with a space behind it in a flow list is refused, as PyYAML refuses it', async (t) => {
  t.throws(() => parse('a: [ - , b]'), { message: /not valid YAML/ })
})

test('the keys of YAML are as they are written', async (t) => {
  t.strictSame(
    entriesOf(parse('010: a\n1.0: b\n~: c\n"d": e\n? [f]\n: g\n')).map(([name]) => name),
    ['010', '1.0', '~', 'd', '["f"]'],
  )
})

test('a comment is a document without a value', async (t) => {
  t.strictSame(parse('# nothing\n'), scalar(null, [1, 1]))
})

test('tags are the functions of CloudFormation', async (t) => {
  for (const [tag, name] of [
    ['!Ref', 'Ref'],
    ['!Condition', 'Condition'],
    ['!GetAtt', 'Fn::GetAtt'],
    ['!Custom', 'Fn::Custom'],
  ] as const) {
    t.strictSame(valueAtA(`a: ${tag} 1`), map({ [name]: scalar('1', [1, 1]) }, [1, 1]), tag)
    t.strictSame(
      valueAtA(`a: ${tag} [1]`),
      map({ [name]: list([scalar(1, [1, 6 + tag.length])], [1, 1]) }, [1, 1]),
      tag,
    )
    t.strictSame(
      valueAtA(`a: ${tag} {b: 1}`),
      map({ [name]: map({ b: scalar(1, [1, 6 + tag.length]) }, [1, 1]) }, [1, 1]),
      tag,
    )
  }
})

test('a key that occurs twice: the last one counts', async (t) => {
  for (const text of ['{ "a": 1, "b": {\n "a": 3 },\n "a": 2 }', 'a: 1\nb: { a: 3 }\na: 2\n']) {
    t.equal(knownText(mapAt(parseDocument('template', text), 'a')), '2')
  }
})

const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
test('200 levels', async (t) => {
  t.equal(parse(deep(200)).state, 'map')
  t.equal(parse(`# YAML\n${deep(200)}`).state, 'map')
})

for (const [title, text, message] of [
  ['an empty file', '', 'template:1:1: the file is empty'],
  ['blanks', ' \n\n', 'template:1:1: the file is empty'],
  ['20,000 levels of JSON', deep(20_000), 'template: the file is nested too deeply to be a template'],
  ['20,000 levels of YAML', `# YAML\n${deep(20_000)}`, 'template: the file is nested too deeply to be a template'],
  [
    'a wrong escape',
    `{${'\n'.repeat(9)}          "\\x": 1 }`,
    'template:10:12: not valid JSON: Bad escaped character in JSON at position 22',
  ],
  [
    'an open brace',
    '{ "a": 1',
    "template:1:9: not valid JSON: Expected ',' or '}' after property value in JSON at position 8",
  ],
  [
    'an open brace after a line break',
    '\n{',
    "template:2:2: not valid JSON: Expected property name or '}' in JSON at position 2",
  ],
  ['an open quote', 'a: "b\n', 'template:2:1: not valid YAML: Missing closing "quote'],
  ['an open quote before other text', 'a: "b\nc: d\n', 'template:3:1: not valid YAML: Missing closing "quote'],
  [
    'an open bracket before other text',
    'a: [b\nc: d\n',
    'template:2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['two documents', 'a: b\n---\nc: d\n', 'template:2:1: not valid YAML: the file has more than one document'],
  [
    'an alias, which CloudFormation does not accept',
    'a: &c { d: 1 }\nb: { <<: *c }\n',
    'template:2:6: CloudFormation does not accept aliases of YAML, such as *c: write the value there, or check the output of "sam package" or "aws cloudformation package"',
  ],
] as const) {
  test(`refused: ${title}`, async (t) => {
    try {
      parse(text)
      t.fail('it is not refused')
    } catch (error) {
      t.ok(error instanceof UsageError, String(error))
      t.equal((error as Error).message, message)
    }
  })
}

test('all nodes of a tree, in the order of the file', async (t) => {
  const root = parse('a: [x]\nb: { d: 1 }\n')
  const [a, b] = [mapAt(root, 'a'), mapAt(root, 'b')]
  const x = a.state === 'list' ? a.items[0] : undefined
  t.strictSame(nodesIn(root), [root, a, x, b, mapAt(b, 'd')])
})

for (const [text, value] of [
  ...['y', 'n', 'Y', 'N'].map((text) => [text, text] as const),
  ...['yes', 'Yes', 'on', 'On', 'ON', 'true', 'TRUE'].map((text) => [text, true] as const),
  ...['no', 'No', 'off', 'Off', 'OFF', 'false'].map((text) => [text, false] as const),
] as const) {
  test(`${text} has the value that PyYAML reads: ${value}`, async (t) => {
    t.strictSame(valueAtA(`a: ${text}`), scalar(value, [1, 1]))
  })
}

test('a file of more than 5,000,000 characters is not read', async (t) => {
  const rest = ' '.repeat(4_999_995)
  t.equal(valueAtA(`a: 1\n${rest}`).state, 'known')
  t.throws(() => parse(`a: 1\n${rest} `), {
    message: 'template is too large to be a template: CloudFormation accepts at most 1 MB',
  })
})
