import t from 'tap'
import { toLanes } from '../src/lanes.ts'
t.equal(toLanes(3, undefined, 'group').take(), 0)
