// Runs the commands of README.md and docs/*.md in a clone of this repository, and compares their output with the output that the pages show.
//
//   node test/docs/run.mjs [PAGE…]      default: README.md and all pages in docs/
//
// A block of code says by its first line how it is checked:
//   sh            runs, in one shell for each page; a `text` or `json` block behind it is its output
//   sh server     starts a server and leaves it running until the page ends or starts another one
//   sh example    is only parsed, because it needs something that is not here
//   ts            compiles against the types of the package
//   ts test       compiles, and passes as a file of Vitest
//   json          parses
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const READY = /^export UNDERSTUDY_CONTROL=/m
const BLOCK = /^```(\S+)[ ]?(.*)\n([\s\S]*?)^```$/gm

const pages = process.argv.slice(2)
if (pages.length === 0)
  pages.push(
    'README.md',
    ...readdirSync('docs')
      .filter(isPage)
      .map(name => `docs/${name}`),
  )
const home = mkdtempSync(join(tmpdir(), 'understudy-docs-'))
const clone = join(home, 'mcp-understudy')
process.on('exit', () => rmSync(home, { recursive: true, force: true }))
execFileSync('git', ['clone', '--quiet', '.', clone])
execFileSync('npm', ['ci', '--silent'], { cwd: clone, stdio: ['ignore', 'ignore', 'inherit'] })
execFileSync('npm', ['run', '--silent', 'build'], { cwd: clone, stdio: 'ignore' })

let passed = 0
const failures = []
const typescript = []
for (const page of pages) await run(page, readFileSync(page, 'utf8'))
compile()
runTests()
for (const failure of failures) process.stderr.write(`${failure}\n`)
process.stdout.write(`${passed} passed, ${failures.length} failed\n`)
process.exit(failures.length === 0 ? 0 : 1)

function isPage(name) {
  return name.endsWith('.md')
}

/** Checks the blocks of one page, in their order. */
async function run(page, text) {
  const blocks = [...text.matchAll(BLOCK)].map(([, language, note, code], index, all) => ({
    language,
    note,
    code,
    place: `${page}:${text.slice(0, all[index].index).split('\n').length}`,
  }))
  const shell = openShell()
  let server
  try {
    for (const [index, { language, note, code, place }] of blocks.entries()) {
      const next = blocks[index + 1]
      const shown = next !== undefined && ['text', 'json'].includes(next.language) ? next : undefined
      if (language === 'ts')
        typescript.push({
          place,
          code,
          name: `block-${typescript.length}${note === 'test' ? '.test' : ''}.ts`,
        })
      else if (language === 'json' && blocks[index - 1]?.language !== 'sh')
        check(place, () => JSON.parse(code))
      else if (language !== 'sh') continue
      else if (note === 'example') check(place, () => execFileSync('bash', ['-n'], { input: code }))
      else if (note === 'server') {
        await server?.stop()
        server = await startServer(code)
        check(place, () => compare(shown?.code ?? '', server.output))
      } else {
        const { status, output } = await shell.run(code)
        check(place, () => {
          if (status !== 0) throw new Error(`ended with ${status}: ${output.slice(0, 500)}`)
          compare(shown?.code ?? '', output)
        })
      }
    }
  } catch (error) {
    failures.push(`${page}: ${error.message}`)
  } finally {
    shell.close()
    await server?.stop()
  }
}

function check(place, test) {
  try {
    test()
    passed++
  } catch (error) {
    failures.push(`${place}: ${error.message}`)
  }
}

/** A shell that keeps variables and functions from block to block. */
function openShell() {
  const bash = spawn('bash', [], { cwd: clone, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  bash.stdout.on('data', chunk => (output += chunk))
  bash.stderr.on('data', chunk => (output += chunk))
  return {
    async run(code) {
      output = ''
      bash.stdin.write(`${code}\nprintf '\\nENDED:%s\\n' $?\n`)
      while (!/\nENDED:\d+\n/.test(output)) await once(bash.stdout, 'data')
      const [, text, status] = /^([\s\S]*)\nENDED:(\d+)\n/.exec(output)
      return { status: Number(status), output: text }
    },
    close: () => bash.kill(),
  }
}

/** Starts a server in a process group of its own. Resolves once it is up. */
async function startServer(code) {
  const bash = spawn('bash', ['-c', code], {
    cwd: clone,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  bash.stdout.on('data', chunk => (output += chunk))
  const ended = once(bash, 'exit')
  while (!READY.test(output)) {
    const first = await Promise.race([once(bash.stdout, 'data'), ended.then(() => 'ended')])
    if (first === 'ended') throw new Error(`the server ended: ${code}`)
  }
  return {
    // Without what npm and the build print before.
    output: output.slice(output.indexOf('# understudy ')),
    async stop() {
      process.kill(-bash.pid, 'SIGINT')
      await ended
    },
  }
}

/** Compares the lines that a page shows with the first lines that came. */
function compare(shown, output) {
  const lines = withoutIds(output)
  for (const [index, line] of withoutIds(shown).entries()) {
    const pattern = line
      .split('…')
      .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')
    if (!new RegExp(`^${pattern}$`).test(lines[index] ?? ''))
      throw new Error(`shows\n  ${line}\nbut came\n  ${lines[index] ?? '(nothing)'}`)
  }
}

/** The lines of a text, without ids, ports, times and blank lines. */
function withoutIds(text) {
  return text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/\b(db_|usr_)?[0-9a-f]{12,}\b/g, 'ID')
    .replace(/127\.0\.0\.1:(?!480\d)\d+/g, '127.0.0.1:PORT')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\d{10,}/g, 'N')
    .split('\n')
    .map(line => line.trimEnd())
    .filter(line => line !== '' && line !== '#')
}

/** Compiles all `ts` blocks against the types of the package. */
function compile() {
  const folder = join(clone, 'docs-ts')
  mkdirSync(folder)
  for (const { name, code } of typescript) writeFileSync(join(folder, name), `${code}\nexport {}\n`)
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        module: 'nodenext',
        target: 'es2023',
        noEmit: true,
        skipLibCheck: true,
        types: ['node'],
      },
    }),
  )
  try {
    execFileSync('npx', ['tsc', '-p', folder], { cwd: clone, encoding: 'utf8' })
    passed += typescript.length
  } catch ({ stdout }) {
    failures.push(
      stdout.replace(/docs-ts\/block-(\d+)(\.test)?\.ts/g, (_, index) => `${typescript[index].place} ts`),
    )
  }
}

/** Runs the `ts test` blocks from the root of the clone, as their relative paths expect. */
function runTests() {
  const tests = typescript.filter(({ name }) => name.endsWith('.test.ts'))
  const files = tests.map(({ name }) => `docs-ts/${name}`)
  if (files.length === 0) return
  const config = join(clone, 'docs-ts/vitest.config.mjs')
  writeFileSync(config, `export default { test: { include: ['docs-ts/*.test.ts'] } }`)
  check(tests.map(({ place }) => place).join(', '), () =>
    execFileSync('npx', ['vitest', 'run', '--config', config, '--root', clone, ...files], {
      cwd: clone,
      encoding: 'utf8',
    }),
  )
}
