import { test } from 'tap'
import { absent, idOf, invalid, known, unknown, withId } from '../../src/model/setting.ts'

const position = { line: 3, column: 5 }

test('the states of a setting', async (t) => {
  t.strictSame(known(1, position), { state: 'known', value: 1, position })
  t.strictSame(absent, { state: 'absent' })
  t.strictSame(unknown('why', position), { state: 'unknown', reason: 'why', position })
  t.strictSame(invalid('why', 'how', position), { state: 'unknown', reason: 'why', fix: 'how', position })
})

test('the id of a setting: its own, or its place', async (t) => {
  t.strictSame(withId('a', known(1)), { ...known(1), id: 'a' })
  t.strictSame(withId('a', { ...known(1), id: 'b' }), { ...known(1), id: 'b' })
  t.equal(idOf(known(1, { ...position, file: 'a.yaml', key: 'b' })), 'a.yaml:3:5:b')
  t.equal(idOf(known(1, position)), ':3:5:')
  t.equal(idOf({ ...unknown('why', position), id: 'a' }), 'a')
  t.equal(idOf({ ...absent, id: 'a' }), undefined)
  t.equal(idOf(known(1)), undefined)
})
