import { test } from 'tap'
import { closest } from '../../src/shared/closest.ts'

for (const [what, name, meant] of [
  ['a letter is missing', 'visibilty', 'visibility'],
  ['a letter is missing at the start', 'isibility', 'visibility'],
  ['a letter is missing at the end', 'visibilit', 'visibility'],
  ['a letter is too many', 'visiibility', 'visibility'],
  ['a letter is too many at the start', 'xvisibility', 'visibility'],
  ['a letter is too many at the end', 'visibilityx', 'visibility'],
  ['a letter is wrong', 'visibilxty', 'visibility'],
  ['the first letter is wrong', 'xisibility', 'visibility'],
  ['the last letter is wrong', 'visibilitx', 'visibility'],
  ['two letters are wrong', 'vxsibilxty', 'visibility'],
  ['three letters are wrong', 'vxsxbilxty', undefined],
  ['two letters are missing', 'vsiblity', 'visibility'],
  ['three letters are missing', 'vsbiity', undefined],
  ['two letters are too many', 'vxisibilityx', 'visibility'],
  ['three letters are too many', 'vxisxibilityx', undefined],
  ['two neighbours are exchanged', 'ivsibility', 'visibility'],
  ['two neighbours are exchanged, twice', 'ivsibiilty', 'visibility'],
  ['two neighbours are exchanged, and two letters are wrong', 'ivsxbilxty', undefined],
  ['two letters that are no neighbours are exchanged', 'sivibility', 'visibility'],
  ['a pair of letters is repeated', 'visibibility', 'visibility'],
  ['the case differs', 'VISIBILITY', 'visibility'],
  ['the name is right', 'visibility', 'visibility'],
] as const) {
  test(`${what}: ${meant ? 'it is found' : 'it is not found'}`, async (t) => {
    t.equal(closest(name, ['delay', 'visibility', 'policy']), meant)
    t.equal(closest(name.toUpperCase(), ['delay', 'visibility', 'policy']), meant)
    t.equal(closest(name, ['DELAY', 'VISIBILITY', 'POLICY']), meant?.toUpperCase())
  })
}

test('an exchange of neighbours is one edit', async (t) => {
  t.equal(closest('abdc', ['abcd'], 1), 'abcd')
  t.equal(closest('bacd', ['abcd'], 1), 'abcd')
  t.equal(closest('abca', ['abac'], 1), 'abac')
  t.equal(closest('abxa', ['abac'], 1), undefined)
  t.equal(closest('abax', ['abca'], 1), undefined)
})

test('the number of edits is limited, also by a third of the letters of the misspelled name', async (t) => {
  t.equal(closest('abcdef', ['abcdxy']), 'abcdxy')
  t.equal(closest('abcde', ['abcxy']), undefined, 'two edits need six letters')
  t.equal(closest('abc', ['abx']), 'abx')
  t.equal(closest('ab', ['ax']), undefined, 'one edit needs three letters')
  t.equal(closest('ab', ['abc']), undefined, 'the letters of the misspelled name count')
  t.equal(closest('abcdef', ['abcdxy'], 1), undefined)
  t.equal(closest('abcdefghi', ['abcdefxyz'], 3), 'abcdefxyz')
  t.equal(closest('', ['']), '')
})

test('the name with the fewest edits is found, and the first of equals', async (t) => {
  t.equal(closest('abcdef', ['abcdxy', 'abcdex', 'abcdey']), 'abcdex')
  t.equal(closest('abcdef', new Set(['abcxyz', 'abcdxy', 'abcdyx'])), 'abcdxy')
  t.equal(closest('abcdef', ['abcxyz']), undefined)
  t.equal(closest('abcdef', []), undefined)
})
