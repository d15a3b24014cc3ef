import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { absoluteLinks, relativeUrls } from '../../scripts/absolute-links.ts'
import { notesOf, packRelease, publishedManifest } from '../../scripts/pack-release.ts'
import { installPages, withInstall, withRelease } from '../../scripts/release-docs.ts'

const root = join(import.meta.dirname, '../..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const place = { root, folder: 'cli', repository: 'owner/name', tag: 'bounded-sqs-batch@1.0.0' }
const files = 'https://github.com/owner/name/blob/bounded-sqs-batch@1.0.0'
const folders = 'https://github.com/owner/name/tree/bounded-sqs-batch@1.0.0'
const raw = 'https://raw.githubusercontent.com/owner/name/bounded-sqs-batch@1.0.0'
const chart = 'bench/results/http-over-concurrency.svg'

for (const [what, relative, absolute] of [
  ['a file', '[a](src/bin.ts)', `[a](${files}/cli/src/bin.ts)`],
  ['a heading of another file', '[a](../README.md#time)', `[a](${files}/README.md#time)`],
  ['a folder', '[a](../examples/deploy)', `[a](${folders}/examples/deploy)`],
  ['an image', `![a](../${chart} "title")`, `![a](${raw}/${chart} "title")`],
  ['an image in a link', `[![a](../${chart})](src/bin.ts)`, `[![a](${raw}/${chart})](${files}/cli/src/bin.ts)`],
  ['a page that shows an image', `[a](../${chart})`, `[a](${files}/${chart})`],
  ['a definition', '[a][b]\n\n[b]: src/bin.ts', `[a][b]\n\n[b]: ${files}/cli/src/bin.ts`],
  ['an image in HTML', `<p><img width="9" src="../${chart}"></p>`, `<p><img width="9" src="${raw}/${chart}"></p>`],
  ['a link in HTML', 'b <a href="src/bin.ts">a</a>', `b <a href="${files}/cli/src/bin.ts">a</a>`],
  ['a cell of a table', '| a |\n| - |\n| [a](src/bin.ts) |', `| a |\n| - |\n| [a](${files}/cli/src/bin.ts) |`],
] as const) {
  t.test(`the release makes the link to ${what} absolute`, async (t) => {
    t.equal(absoluteLinks(relative, place), absolute)
  })
}

const code = 'Write `[a](b.md)`:\n\n```md\n[a](b.md)\n```\n'
for (const text of ['[a](#time)', '[a](https://example.com/b)', '<a href="mailto:a@example.com">a</a>', code]) {
  t.test(`the release keeps ${text}`, async (t) => t.equal(absoluteLinks(text, place), text))
}

t.test('the action gets a tag with one @ less, which a later commit does not move', async (t) => {
  const cwd = t.testdir({ cli: { 'package.json': '{ "version": "1.2.3" }' } })
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd, encoding: 'utf8' }).trim()
  const commit = () => run('git', '-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '--allow-empty', '-m', 'a')
  run('git', 'init', '--quiet')
  commit()
  const head = run('git', 'rev-parse', 'HEAD')
  run('git', 'tag', 'bounded-sqs-batch@1.2.3')
  for (const _ of [1, 2]) {
    run(process.execPath, join(root, 'scripts/tag-action.ts'))
    t.equal(run('git', 'rev-parse', 'doctor-v1.2.3'), head)
    commit()
  }
})

t.test(
  'after the release, the install commands name the tag next as long as the version is a prerelease',
  async (t) => {
    let commands = 0
    for (const page of installPages(root)) {
      const text = withInstall(readFileSync(join(root, page), 'utf8'), version)
      for (const [line] of text.matchAll(/npm install .*bounded-sqs-batch.*/g)) {
        t.equal(/bounded-sqs-batch@next/.test(line), version.includes('-'), `${page}: ${line}`)
        commands++
      }
    }
    t.ok(commands > 2)
  },
)

t.test('the release after the last prerelease removes the tag next from the install commands', async (t) => {
  const command = 'npm install middy-bounded-sqs-batch@next @middy/core\nnpm install -D bounded-sqs-batch@next\n'
  t.equal(withInstall(command, '1.0.0-rc.2'), command)
  t.equal(
    withInstall(command, '1.0.0'),
    'npm install middy-bounded-sqs-batch @middy/core\nnpm install -D bounded-sqs-batch\n',
  )
})

t.test('the first release replaces what installs the packages from a clone', async (t) => {
  for (const page of ['README.md', 'cli/README.md', 'examples/orders/README.md']) {
    const text = withInstall(readFileSync(join(root, page), 'utf8'), '1.0.0-rc.2')
    t.notMatch(text, /npm pack|not on npm|before the release|after the release/, page)
    t.match(text, /^```sh\nnpm install( .*bounded-sqs-batch@next.*)?\n/m, page)
  }
})

t.test(
  'a release does not say that it is a prerelease',
  { skip: version.includes('-') && `${version} is a prerelease` },
  async (t) => {
    for (const page of ['README.md', 'cli/README.md', 'docs/index.md', 'docs/versioning.md']) {
      t.notMatch(readFileSync(join(root, page), 'utf8'), /\d-rc\.|release candidate|@next/, page)
    }
  },
)

for (const url of ['missing.md', '../../outside.md']) {
  t.test(`the release rejects the link ${url}`, async (t) => {
    t.throws(() => absoluteLinks(`[a](${url})`, place), {
      message: `expected a file of this repository, received the link ${url}`,
    })
  })
}

for (const folder of ['', 'cli']) {
  const read = (file: string) => readFileSync(join(root, folder, file), 'utf8')

  t.test(
    `${join(folder, 'README.md')} has links to files that exist, and none is relative after the release`,
    async (t) => {
      t.not(relativeUrls(read('README.md')).length, 0)
      t.same(relativeUrls(absoluteLinks(read('README.md'), { ...place, folder })), [])
    },
  )

  t.test(
    `the published ${join(folder, 'package.json')} names the repository and has no field that only the repository needs`,
    async (t) => {
      const manifest = JSON.parse(read('package.json'))
      const published = publishedManifest(manifest, 'owner/name', 'a@1.0.0', folder)
      t.same(published.repository, {
        type: 'git',
        url: 'git+https://github.com/owner/name.git',
        ...(folder && { directory: 'cli' }),
      })
      t.equal(published.homepage, `https://github.com/owner/name/tree/a@1.0.0${folder && '/cli'}#readme`)
      t.same(published.bugs, { url: 'https://github.com/owner/name/issues' })
      const kept = [
        'name',
        'version',
        'description',
        'keywords',
        'license',
        'type',
        'sideEffects',
        'engines',
        'bin',
        'files',
      ]
      const used = ['publishConfig', 'exports', 'dependencies', 'peerDependencies', 'peerDependenciesMeta']
      const expected = [...kept, ...used].filter((key) => key in manifest)
      t.same(Object.keys(published).sort(), [...expected, 'repository', 'homepage', 'bugs'].sort())
      for (const key of expected) t.same(published[key], manifest[key], key)
    },
  )
}

t.test('the notes of a release are the section of its version', async (t) => {
  const changelog = '# a\n\n## 1.0.1\n\n- Fix.\n\n## 1.0.0\n\n### Major Changes\n\n- First.\n'
  t.equal(notesOf(changelog, '1.0.1'), '- Fix.')
  t.equal(notesOf(changelog, '1.0.0'), '### Major Changes\n\n- First.')
  t.throws(() => notesOf(changelog, '1.0'), { message: /to have a section "## 1\.0"/ })
})

for (const [tag, repository, message] of [
  ['v1.0.0', 'owner/name', /expected the tag middy-bounded-sqs-batch@<version> or bounded-sqs-batch@<version>/],
  ['constructor@1.0.0', 'owner/name', /expected the tag middy-bounded-sqs-batch@<version>/],
  [
    'middy-bounded-sqs-batch@0.0.9',
    'owner/name',
    `expected the tag middy-bounded-sqs-batch@${version}, the version in`,
  ],
  [`middy-bounded-sqs-batch@${version}`, '', 'expected GITHUB_REPOSITORY to be owner/name, received ""'],
] as const) {
  t.test(`the release rejects the tag ${tag} in the repository "${repository}"`, async (t) => {
    t.throws(() => packRelease(tag, repository, t.testdirName), { message: new RegExp(message) })
  })
}

t.test('the lines of docs/doctor.md have the version of the tool, and the release writes the owner', async (t) => {
  const page = readFileSync(join(root, 'docs/doctor.md'), 'utf8')
  const { version } = JSON.parse(readFileSync(join(root, 'cli/package.json'), 'utf8'))
  t.equal(withRelease(page, version), page)
  const released = withRelease(page, '2.0.0', 'shop')
  t.match(released, '- uses: shop/middy-bounded-sqs-batch@doctor-v2.0.0\n')
  t.match(released, 'repo: https://github.com/shop/middy-bounded-sqs-batch\n  rev: doctor-v2.0.0\n')
  t.equal(withRelease(released, '2.0.0', 'shop'), released)
})
