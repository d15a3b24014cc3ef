import { test } from 'tap'
import { entryPoints, handlerFiles, importsOf } from '../../src/code/handler-files.ts'
import type { Tree } from '../../src/code/tree.ts'

type Files = Readonly<Record<string, string>>

function treeOf(files: readonly string[] | Files): Tree {
  const texts = new Map(Array.isArray(files) ? files.map((path) => [path, '']) : Object.entries(files as Files))
  return { read: (path) => texts.get(path), paths: () => [...texts.keys()] }
}

const MAIN = 'package main'
for (const [runtime, handler, files, expected] of [
  ['nodejs24.x', 'app.handler', ['app.js', 'app.ts', 'other.js'], ['app.js']],
  ['nodejs24.x', 'src/app.handler', ['app.js', 'src/app.mjs'], ['src/app.mjs']],
  ['nodejs24.x', '/src/app.handler', ['src/app.cjs'], ['src/app.cjs']],
  ['nodejs24.x', './src/app.handler', ['src/app.jsx'], ['src/app.jsx']],
  ['nodejs24.x', 'src//app.handler', ['src/app.mts'], ['src/app.mts']],
  ['nodejs24.x', 'app.v2.handler', ['app.js', 'app.v2.cts'], ['app.v2.cts']],
  ['nodejs24.x', 'app.jsonapi.handler', ['app.jsonapi.tsx'], ['app.jsonapi.tsx']],
  ['nodejs24.x', 'v1.2/app', ['v1.js', 'v1.2/app.js'], ['v1.2/app.js']],
  ['nodejs24.x', 'app.handler', ['app/index.js'], ['app/index.js']],
  ['nodejs24.x', 'app', ['app'], ['app']],
  ['nodejs24.x', 'app.handler', ['app.py', 'app.rb', 'app/handler.java', 'Program.cs', 'src/main.rs'], []],
  ['python3.14', 'app.handler', ['app.py', 'app.js'], ['app.py']],
  [
    'python3.14',
    'pkg.app.handler',
    ['pkg.py', 'pkg/app.py', 'pkg/app/__init__.py'],
    ['pkg/app.py', 'pkg/app/__init__.py'],
  ],
  ['python3.14', 'pkg/sub.app.handler', ['pkg/sub/app.py'], ['pkg/sub/app.py']],
  ['ruby3.4', 'app.Handler.process', ['app.rb', 'app.js'], ['app.rb']],
  [
    'java25',
    'com.example.Orders::handle',
    ['src/com/example/Orders.java', 'com/example/Orders.kt'],
    ['src/com/example/Orders.java', 'com/example/Orders.kt'],
  ],
  [
    'java25',
    'example.Orders',
    ['example/Orders.class', 'myexample/Orders.class', 'example/Orders.java.txt'],
    ['example/Orders.class'],
  ],
  [
    'java25',
    'example.Orders$Handler::handle',
    ['example/Orders$Handler.class', 'example/Orders.class'],
    ['example/Orders$Handler.class'],
  ],
  [
    'dotnet10',
    'Orders',
    ['src/Program.cs', 'Program.cs', 'MyProgram.cs', 'Program.cs.txt', 'ProgramXcs'],
    ['src/Program.cs', 'Program.cs'],
  ],
  [
    'dotnet10',
    'Orders::Acme.Orders.Function::Handle',
    {
      'A.cs': 'class Function {}',
      'B.fs': 'type  Function() =',
      'C.vb': 'Public Class Function',
      'C2.cs': 'record Function;',
      'D.cs': 'class FunctionBase',
      'E.cs': 'subclass Function',
      'F.txt': 'class Function',
      'G.cs.txt': 'class Function',
    },
    ['A.cs', 'B.fs', 'C.vb', 'C2.cs'],
  ],
  ['provided.al2023', 'orders', ['src/bin/orders.rs', 'src/main.rs', 'main.go'], ['src/bin/orders.rs']],
  ['provided.al2023', 'orders', ['src/bin/orders/main.rs', 'src/bin/other.rs'], ['src/bin/orders/main.rs']],
  ['provided.al2023', 'bootstrap', ['src/main.rs', 'src/bin/other.rs'], ['src/main.rs']],
  ['provided.al2023', 'bootstrap', ['src/bin/other.rs', 'src/lib.rs'], ['src/bin/other.rs']],
  ['provided.al2023', 'bootstrap', ['src/bin/one.rs', 'src/bin/two.rs'], []],
  ['provided.al2023', 'bootstrap', ['x/src/bin/one.rs', 'src/bin/one/lib.rs', 'src/bin/one.rs.txt'], []],
  [
    'go1.x',
    'bootstrap',
    {
      'cmd/api/main.go': MAIN,
      'cmd/main.go': `// orders\n${MAIN} // x`,
      'cmd/other.go': MAIN,
      'cmd/main_test.go': MAIN,
      'a.go': 'package mainly',
      'b.go': `// ${MAIN}`,
      'c.go.txt': MAIN,
      'lib.go': 'package lib',
    },
    ['cmd/main.go', 'cmd/other.go'],
  ],
  ['provided.al2023', 'bootstrap', {}, []],
  [undefined, 'app.handler', ['app.rb', 'app.py'], ['app.py']],
  [undefined, 'app.handler', ['app.rb'], ['app.rb']],
  [undefined, 'bootstrap', { 'main.go': MAIN }, ['main.go']],
  ['nodejs', 'bootstrap', { 'main.go': MAIN }, []],
  ['x', 'app.handler', ['app.js'], []],
] as const) {
  test(`the files of the handler ${handler} for ${runtime}: ${JSON.stringify(files)}`, async (t) => {
    t.strictSame(handlerFiles(treeOf(files), handler, runtime), expected)
  })
}

for (const [handler, entries, expected] of [
  ['app.handler', ['src/other.ts', 'src/app.ts'], ['src/app.ts']],
  ['src/app.handler', ['./src/app.ts'], ['src/app.ts']],
  ['dist/app.v2.handler', ['src/app.v2.ts', 'src/app.ts'], ['src/app.v2.ts']],
  ['index.handler', ['src/other.ts', 'src/app.ts', 'none.ts'], ['src/other.ts', 'src/app.ts']],
] as const) {
  test(`the entry points ${entries.join()} for the handler ${handler}`, async (t) => {
    t.strictSame(entryPoints(treeOf(['src/app.ts', 'src/other.ts', 'src/app.v2.ts']), entries, handler), expected)
  })
}

const SCRIPTS = ['a.js', 'b.ts', 'lib/c.mts', 'lib/index.js', 'lib/d.cts', 'lib/e.tsx', 'index.ts']
for (const [path, text, expected] of [
  ['app.mjs', "import './a.js'", ['a.js']],
  ['app.mjs', "import a from './a'", ['a.js']],
  ['app.mjs', "import {\n  a,\n} from  './a.js'\nexport * from\n'./b.js'", ['a.js', 'b.ts']],
  ['app.mjs', 'import"./a.js";export * from`./b.js`', ['a.js', 'b.ts']],
  ['app.mjs', "await import('./a.js'); import ( './b.js')", ['a.js', 'b.ts']],
  ['app.cjs', "require('./a'); require ( './lib')", ['a.js', 'lib/index.js']],
  [
    'app.ts',
    "import './lib/c.mjs'; import './lib/d.cjs'; import './lib/e.jsx'",
    ['lib/c.mts', 'lib/d.cts', 'lib/e.tsx'],
  ],
  [
    'lib/app.tsx',
    "import '..'; import '.'; import '../a.js'; import './c.mjs'",
    ['index.ts', 'lib/index.js', 'a.js', 'lib/c.mts'],
  ],
  ['app.jsx', "import './none.js'; import 'a.js'; import '/a.js'; import '.../a.js'; import '.a.js'", []],
  ['app.mts', "myimport './a.js'; transform './a.js'; load('./a.js')", []],
  ['app.txt', "import './a.js'", []],
] as const) {
  test(`the imports of ${path}: ${text}`, async (t) => {
    t.strictSame(importsOf(treeOf(SCRIPTS), path, text), expected)
  })
}

const PYTHON = ['a.py', 'pkg/__init__.py', 'pkg/a.py', 'pkg/b.py', 'pkg/sub/__init__.py', 'pkg/sub/c.py']
for (const [path, text, expected] of [
  ['app.py', 'import a', ['a.py']],
  ['app.py', '  import  pkg.a\nimport pkg.sub', ['pkg/a.py', 'pkg/sub/__init__.py']],
  ['app.py', '# import a\nimporta\nreimport a\n# from pkg import b', []],
  ['app.py', '    from pkg import b', ['pkg/__init__.py', 'pkg/b.py']],
  ['app.py', 'from pkg import b', ['pkg/__init__.py', 'pkg/b.py']],
  ['app.py', 'from  pkg.sub  import  c, none', ['pkg/sub/__init__.py', 'pkg/sub/c.py']],
  [
    'app.py',
    'from pkg import  (\n    a,\n    b,\n)\nfrom a import x',
    ['pkg/__init__.py', 'pkg/a.py', 'pkg/b.py', 'a.py'],
  ],
  ['app.py', 'from pkg import a as first, b as second', ['pkg/__init__.py', 'pkg/a.py', 'pkg/b.py']],
  ['pkg/app.py', 'import a', ['a.py', 'pkg/a.py']],
  ['pkg/app.py', 'from b import x', ['pkg/b.py']],
  ['pkg/app.py', 'from a import x', ['a.py', 'pkg/a.py']],
  ['pkg/app.py', 'from . import b', ['pkg/__init__.py', 'pkg/b.py']],
  ['pkg/app.py', 'from .b import x', ['pkg/b.py']],
  ['pkg/app.py', 'from .sub import c', ['pkg/sub/__init__.py', 'pkg/sub/c.py']],
  ['pkg/sub/app.py', 'from .. import b\nfrom ..a import x', ['pkg/__init__.py', 'pkg/b.py', 'pkg/a.py']],
  ['pkg/sub/app.py', 'from ... import a', ['a.py']],
  ['app.py', 'import none\nfrom none import a', []],
] as const) {
  test(`the imports of ${path}: ${text}`, async (t) => {
    const found = importsOf(treeOf(PYTHON), path, text)
    t.strictSame([...new Set(found)], expected)
  })
}

const OTHERS = [
  'lib/a.rb',
  'b.rb',
  'src/report.rs',
  'src/parts/mod.rs',
  'src/com/x/A.java',
  'src/com/x/B.kt',
  'src/com/x/D.scala',
  'xcom/x/A.java',
  'com/x/C.kt',
]
for (const [path, text, expected] of [
  ['lib/app.rb', "require_relative 'a'\nrequire_relative('../b.rb')", ['lib/a.rb', 'b.rb']],
  ['lib/app.rb', 'require_relative"a"; require_relative  ( "../b" )', ['lib/a.rb', 'b.rb']],
  ['lib/app.rb', "require 'a'; require_relative 'a.rb.old'", []],
  ['src/main.rs', 'mod report;\n  pub  mod  parts ;', ['src/report.rs', 'src/parts/mod.rs']],
  ['src/main.rs', 'mod report { }\n// mod parts;\nmodparts;', []],
  ['App.java', 'import com.x.A;', ['src/com/x/A.java']],
  ['App.java', '  import  static  com.x.A;', ['src/com/x/A.java']],
  ['App.kt', 'import com.x.B\nimport com.x.C\nx import com.x.A', ['src/com/x/B.kt', 'com/x/C.kt']],
  ['App.java', 'importcom.x.A;', []],
  ['App.kt', 'x import com.x.B', []],
  ['App.scala', 'import com.x.D', ['src/com/x/D.scala']],
  ['App.javax', 'import com.x.A;', []],
] as const) {
  test(`the imports of ${path}: ${text}`, async (t) => {
    t.strictSame(importsOf(treeOf(OTHERS), path, text), expected)
  })
}
