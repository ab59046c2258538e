// Runs the code of README.md and docs/*.md in a clone of this repository, and compares the output with the output that the pages show.
//
//   node test/docs/run.mjs [PAGE…]      default: README.md and all pages in docs/
//
// A block of code says by its first line how it is checked:
//   sh            runs, in one shell for each page; a `text` or `json` block directly behind it is its output. A command that fails is an error
//   sh refused    runs likewise, and its last command has to fail
//   sh server     starts a server and leaves it running until the page ends or starts another one
//   sh example    is parsed, and the options of its `understudy` commands are looked up: it needs something that is not here
//   ts            compiles against the types of the package, and runs
//   ts test       compiles likewise, and passes as a file of Vitest
//   json          parses
//   yaml          is a policy or a scenario, and is read by `understudy check`
//   toml          parses
//   python        runs with the package `mcp`. Needs python3-venv and PyPI
// Any other block is not checked. `test/house/links.test.ts` checks the links.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { blocksOf } from './blocks.mjs'

/** A program that hangs ends with an error. The slowest one installs packages of Python, which took two minutes on a busy machine. */
const PROGRAM_LIMIT_MS = 300_000

const READY = /^export UNDERSTUDY_CONTROL=/m
const COMMAND = 'dist/servers/cli.js'
/** The policy `policy.json` of the examples. */
const POLICY = 'fixtures/policies/policylayer/instanode.json'
/** The package of the `python` blocks. */
const PYTHON_PACKAGE = 'mcp==2.3.0'

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
/** The servers that run. Each has a process group of its own. */
const servers = new Set()
process.on('exit', () => {
  for (const { pid } of servers) process.kill(-pid, 'SIGKILL')
  rmSync(home, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))
execFileSync('git', ['clone', '--quiet', '.', clone])
execFileSync('npm', ['ci', '--silent'], { cwd: clone, stdio: ['ignore', 'ignore', 'inherit'] })
execFileSync('npm', ['run', '--silent', 'build'], { cwd: clone, stdio: 'ignore' })

cpSync(join(clone, POLICY), join(clone, 'policy.json'))

let passed = 0
const failures = []
const blocks = new Map(pages.map(page => [page, blocksOf(page, readFileSync(page, 'utf8'))]))
compile([...blocks.values()].flat().filter(({ language }) => language === 'ts'))
for (const [page, list] of blocks) await run(page, list)
for (const failure of failures) process.stderr.write(`${failure}\n`)
process.stdout.write(`${passed} passed, ${failures.length} failed\n`)
process.exit(failures.length === 0 ? 0 : 1)

function isPage(name) {
  return name.endsWith('.md')
}

/** Checks the blocks of one page, in their order. */
async function run(page, list) {
  const shell = openShell()
  let server
  try {
    for (const [index, { language, note, code, place }] of list.entries()) {
      const next = list[index + 1]
      const shown = next !== undefined && isOutput(next) ? next : undefined
      if (language === 'ts' && note === 'test')
        await checkRun(place, 'npx', [
          'vitest',
          'run',
          '--config',
          'docs-ts/vitest.config.mjs',
          compiledFile(place),
        ])
      else if (language === 'ts') await checkRun(place, process.execPath, [compiledFile(place)])
      else if (language === 'json' && !(isOutput(list[index]) && list[index - 1].language === 'sh'))
        check(place, () => JSON.parse(code))
      else if (language === 'yaml')
        await checkRun(place, process.execPath, [COMMAND, 'check', writeFile('example.yaml', code)])
      else if (language === 'toml')
        await checkRun(place, 'python3', [
          '-c',
          `import tomllib; tomllib.load(open("${writeFile('example.toml', code)}", "rb"))`,
        ])
      else if (language === 'python')
        await checkRun(place, 'bash', [
          'test/python/with-packages.sh',
          PYTHON_PACKAGE,
          '--',
          writeFile('example.py', code),
        ])
      else if (language !== 'sh') continue
      else if (note === 'example') check(place, () => checkExample(code))
      else if (note === 'server') {
        await server?.stop()
        server = await startServer(code)
        check(place, () => compare(shown?.code ?? '', server.output))
      } else {
        const { status, output, failed } = await shell.run(code)
        check(place, () => {
          if ((status === 0) === (note === 'refused'))
            throw new Error(`ended with ${status}: ${output.slice(0, 500)}`)
          if (note !== 'refused' && failed !== undefined) throw new Error(`a command failed: ${failed}`)
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

/** Writes a file into the clone. Returns its name there. */
function writeFile(name, text) {
  writeFileSync(join(clone, name), text)
  return name
}

/** Checks that a program of the clone ends with 0. */
async function checkRun(place, file, args) {
  const result = await promisify(execFile)(file, args, { cwd: clone, timeout: PROGRAM_LIMIT_MS }).catch(
    error => error,
  )
  check(place, () => {
    if (result instanceof Error) throw new Error(`${result.message}\n${result.stdout}`)
  })
}

/** Parses the commands of a block that is not run, and looks up the options of its `understudy` commands. */
function checkExample(code) {
  execFileSync('bash', ['-n'], { input: code })
  for (const [, command, rest] of code
    .replaceAll('\\\n', ' ')
    .matchAll(/(?<=^|\s)understudy ([a-z]+)(.*)$/gm)) {
    const help = execFileSync(process.execPath, [COMMAND, command, '--help'], {
      cwd: clone,
      encoding: 'utf8',
    })
    const [own] = rest.split(/ -- | #/)
    for (const [option] of own.matchAll(/--[a-z][a-z-]*/g))
      if (!help.includes(`${option} `)) throw new Error(`understudy ${command} has no option ${option}`)
  }
}

/** Whether a block shows the output of the block before it. */
function isOutput({ language, follows }) {
  return follows && ['text', 'json'].includes(language)
}

function check(place, test) {
  try {
    test()
    passed++
  } catch (error) {
    failures.push(`${place}: ${error.message}`)
  }
}

/** A shell that keeps variables and functions from block to block. It reports commands that fail, and HTTP answers of 400 and more. */
function openShell() {
  const bash = spawn('bash', [], { cwd: clone, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  bash.stdout.on('data', chunk => (output += chunk))
  bash.stderr.on('data', chunk => (output += chunk))
  bash.stdin.write(
    `set -E; trap 'echo "FAILED:$BASH_COMMAND"' ERR; curl() { command curl --fail-with-body "$@"; }\n`,
  )
  return {
    async run(code) {
      output = ''
      bash.stdin.write(`${code}\nprintf '\\nENDED:%s\\n' $?\n`)
      while (!/\nENDED:\d+\n/.test(output)) await once(bash.stdout, 'data')
      const [, text, status] = /^([\s\S]*)\nENDED:(\d+)\n/.exec(output)
      const [, failed] = /^.*FAILED:(.*)$/m.exec(text) ?? []
      return { status: Number(status), output: text, failed }
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
  servers.add(bash)
  const ended = once(bash, 'exit').finally(() => servers.delete(bash))
  while (!READY.test(output)) {
    const first = await Promise.race([once(bash.stdout, 'data'), ended.then(() => 'ended')])
    if (first === 'ended') throw new Error(`the server ended: ${code}`)
  }
  return {
    // Without what npm and the build print before.
    output: output.slice(output.indexOf('# understudy ')),
    async stop() {
      if (servers.has(bash)) process.kill(-bash.pid, 'SIGINT')
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

/** Compiles all `ts` blocks against the types of the package, into files that run. */
function compile(typescript) {
  if (typescript.length === 0) return
  mkdirSync(join(clone, 'docs-ts'))
  for (const { code, place } of typescript) writeFile(`docs-ts/${nameOf(place)}.ts`, `${code}\nexport {}\n`)
  writeFile('docs-ts/vitest.config.mjs', `export default { test: { include: ['docs-ts/*.js'] } }`)
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2023',
    skipLibCheck: true,
    types: ['node'],
  }
  writeFile('docs-ts/tsconfig.json', JSON.stringify({ compilerOptions }))
  check('ts blocks', () => {
    try {
      execFileSync('npx', ['tsc', '-p', 'docs-ts'], { cwd: clone, encoding: 'utf8' })
    } catch ({ stdout }) {
      throw new Error(stdout)
    }
  })
}

/** The compiled file of a `ts` block, in the clone. */
function compiledFile(place) {
  return `docs-ts/${nameOf(place)}.js`
}

function nameOf(place) {
  return place.replace(/[^a-z0-9]+/gi, '-')
}
