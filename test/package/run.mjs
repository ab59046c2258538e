// Packs the package, installs it into empty folders, and does there what README.md and docs/testing.md say.
//
//   node test/package/run.mjs [NODE…]      default: the Node that runs this program
//
// Each NODE is the path of a Node program. Needs npm and a registry. Ends with "N passed, N failed".
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { blocksOf } from '../docs/blocks.mjs'
import { deadLinks } from '../house/links.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The oldest compiler that reads the types of the dependencies, and the newest one. */
const COMPILERS = ['typescript@5.7', 'typescript@latest']
const RESOLUTIONS = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
]

/** The pages whose `ts` blocks run in the project. They read the policy `policy.json`. */
const PAGES = ['README.md', 'docs/testing.md']
const POLICIES = 'node_modules/mcp-understudy/fixtures/policies/policylayer'
const POLICY = `${POLICIES}/instanode.json`
const TOOL_POLICY = `${POLICIES}/instanode.claim-token.json`

const EXPECTED = ['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'dist/servers/cli.js']
/** All that the package may have: no sources, no tests, no records of the build, and no `server.json`. */
const ALLOWED =
  /^(LICENSE|README\.md|ARCHITECTURE\.md|CHANGELOG\.md|CONTRIBUTING\.md|package\.json|(docs|examples|fixtures)\/.+|dist\/.+(\.js|\.d\.ts|\.css|\.html|\.svg|\.bin))$/
/** Parts that are whole in the bundle of the command, and a program of the build. */
const NEEDLESS = /^dist\/(servers\/(cli|rehearsal)\/|.*\/build-template\.)/
const MAX_PACKED_BYTES = 4 * 1024 * 1024

const folder = mkdtempSync(join(tmpdir(), 'understudy-package-'))
/**
 * Removes the folder and ends what still runs once its standard input ends, which happens however this program ends.
 * Each line of its input starts or ends a process group.
 */
const cleaner = spawn(
  'bash',
  [
    '-c',
    `declare -A groups
     while read -r verb group; do if [ "$verb" = start ]; then groups[$group]=1; else unset "groups[$group]"; fi; done
     for group in "\${!groups[@]}"; do kill -KILL -- "-$group"; done 2>/dev/null
     for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.2; done`,
    'cleaner',
    folder,
  ],
  { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
)

let passed = 0
let failed = 0

/**
 * Runs one check, prints its result, and counts it.
 *
 * @param {string} name
 * @param {() => unknown} test throws or rejects if the check fails. Its text is printed behind the name
 * @returns {Promise<boolean>} whether it passed
 */
async function check(name, test) {
  const start = performance.now()
  try {
    const detail = await test()
    passed++
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    process.stdout.write(`ok   ${name} (${typeof detail === 'string' ? `${detail}, ` : ''}${seconds} s)\n`)
    return true
  } catch (error) {
    failed++
    process.stdout.write(`FAIL ${name}: ${error.message}\n`)
    return false
  }
}

/**
 * Starts a program in a process group of its own, which the cleaner knows.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd: string, node?: string, env?: Record<string, string> }} options `node` is the Node that programs find first
 */
function start(file, args, { cwd, node, env }) {
  const path = [...(node === undefined ? [] : [dirname(node)]), process.env.PATH].join(delimiter)
  const child = spawn(file, args, {
    cwd,
    detached: true,
    env: { ...process.env, NO_COLOR: '1', TMPDIR: folder, ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cleaner.stdin.write(`start ${child.pid}\n`)
  const program = { child, output: '', ended: once(child, 'close') }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (program.output += chunk))
  program.ended.finally(() => cleaner.stdin.write(`end ${child.pid}\n`)).catch(() => undefined)
  return program
}

/**
 * Runs a program to its end.
 *
 * @returns {Promise<string>} what it printed
 * @throws {Error} with what it printed, if its exit code is not 0
 */
async function run(file, args, options) {
  const program = start(file, args, options)
  const [code, signal] = await program.ended
  if (code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${code ?? signal}:\n${program.output}`)
  return program.output
}

function assert(condition, problem) {
  if (!condition) throw new Error(problem)
}

/** @returns {Promise<{ file: string, version: string, files: string[] }>} the packed file, its version, and the paths in it */
async function pack() {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  })
  const report = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))
  // npm 11 and older list packages, newer ones name them.
  const [{ filename, version, size, unpackedSize, files }] = Object.values(report)
  const paths = files.map(({ path }) => path)
  await check('the package has its files, and no others', () => {
    const missing = EXPECTED.filter(path => !paths.includes(path))
    const strange = paths.filter(path => !ALLOWED.test(path) || NEEDLESS.test(path))
    assert(missing.length === 0, `missing: ${missing.join(', ')}`)
    assert(strange.length === 0, `not expected: ${strange.join(', ')}`)
    assert(size <= MAX_PACKED_BYTES, `${size} bytes packed, at most ${MAX_PACKED_BYTES} are expected`)
    return `${paths.length} files, ${megabytes(size)} packed, ${megabytes(unpackedSize)} unpacked`
  })
  return { file: join(folder, filename), version }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** Writes the `ts` blocks of the pages into a project that compiles them strictly, and the `ts test` blocks into `tests`. */
function writeProject(project) {
  mkdirSync(join(project, 'src'), { recursive: true })
  cpSync(join(project, POLICY), join(project, 'policy.json'))
  const all = PAGES.flatMap(page =>
    blocksOf(page, readFileSync(join(project, 'node_modules/mcp-understudy', page), 'utf8')),
  ).filter(({ language }) => language === 'ts')
  mkdirSync(join(project, 'tests'), { recursive: true })
  for (const [index, { code }] of all.filter(({ note }) => note === 'test').entries())
    writeFileSync(join(project, `tests/example-${index}.test.ts`), code)
  const blocks = all.filter(({ note }) => note !== 'test')
  for (const [index, { code, place }] of blocks.entries())
    writeFileSync(join(project, `src/example-${index}.ts`), `// ${place}\n${code}`)
  return blocks.length
}

/** Compiles the project with one compiler and one way of resolving modules. Writes JavaScript into `out`. */
async function compile(project, compiler, options) {
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        ...options,
        target: 'es2023',
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        types: [],
        rootDir: 'src',
        outDir: 'out',
      },
      include: ['src'],
    }),
  )
  await run(process.execPath, [join(compiler, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
    cwd: project,
  })
}

/** Starts `understudy up` as the README says, makes the denied call, and stops it with Ctrl-C. */
async function checkCommand(project, node, version) {
  const env = Object.fromEntries(
    ['CONTROL', 'INSTANODE', 'SAFEBOT', 'GATEWAY_INSTANODE'].map(name => [`UNDERSTUDY_${name}_PORT`, '0']),
  )
  const up = start('npx', ['understudy', 'up', '--policy', POLICY], { cwd: project, node, env })
  const url = name => new RegExp(`^#   ${name} +(http://[^ ]+)`, 'm').exec(up.output)?.[1]
  const started = await check('the command starts and prints its addresses', async () => {
    while (!/^export UNDERSTUDY_CONTROL=/m.test(up.output)) {
      const more = once(up.child.stdout, 'data').then(() => true)
      assert(await Promise.race([more, up.ended.then(() => false)]), `it ended:\n${up.output}`)
    }
    assert(up.output.startsWith(`# understudy ${version} is up`), `it printed:\n${up.output}`)
    for (const name of ['Instanode', 'Safebot', 'Gateway', 'Control'])
      assert(url(name) !== undefined, `no address of ${name} in:\n${up.output}`)
  })
  if (!started) return
  await check('it is ready', async () => {
    const { status } = await fetch(`${url('Control')}/readyz`)
    assert(status === 200, `/readyz answered ${status}`)
  })
  await check('a denied call does not reach the server', async () => {
    const post = (at, body) =>
      fetch(at, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      })
    const params = { name: 'delete_resource', arguments: { token: 'x' } }
    const answer = await post(url('Gateway'), { jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    const text = await answer.text()
    assert(text.includes('[UNDERSTUDY POLICY DENIED] delete_resource'), `the gateway answered ${text}`)
    const proof = await post(`${url('Control')}/journal/expect-nothing`, {
      where: { tool: 'delete_resource' },
    })
    const proved = await proof.text()
    assert(proved.trim() === '{"ok":true}', `expect-nothing answered ${proof.status}: ${proved}`)
  })
  await check('Ctrl-C stops it', async () => {
    process.kill(-up.child.pid, 'SIGINT')
    await up.ended
    const closed = await fetch(`${url('Control')}/readyz`).then(
      () => false,
      () => true,
    )
    assert(closed, `${url('Control')} still answers`)
  })
}

/**
 * Compiles the examples of the pages with each compiler and each way of resolving modules. Writes JavaScript into `out`.
 *
 * @returns {Promise<boolean>} whether the last compiler has written the examples
 */
async function checkTypes(project) {
  let compiled = false
  for (const { name, place } of await installCompilers()) {
    for (const options of RESOLUTIONS)
      compiled = await check(
        `${name} compiles a strict project, resolution ${options.moduleResolution}`,
        () => compile(project, place, options),
      )
  }
  return compiled
}

/**
 * Installs the package into an empty folder and uses it under one Node.
 *
 * @param {string} node path of the Node program
 * @param {{ file: string, version: string }} packed
 * @param {string | undefined} compiled a folder with the compiled examples. Without one they are compiled here
 * @returns {Promise<string | undefined>} the folder with the compiled examples
 */
async function checkNode(node, packed, compiled) {
  const { stdout } = await promisify(execFile)(node, ['--version'])
  process.stdout.write(`\nNode ${stdout.trim()}\n`)
  const project = join(folder, `project-${stdout.trim()}`)
  mkdirSync(project)
  const inProject = (file, ...args) => run(file, args, { cwd: project, node })
  const install = name => inProject('npm', 'install', '--save-dev', '--no-audit', '--no-fund', name)
  const installed = await check('it installs without a warning', async () => {
    const output = await install(packed.file)
    assert(!/warn/i.test(output), output)
  })
  if (!installed) return compiled
  await check('it has a version', async () => {
    const printed = (await inProject('npx', 'understudy', '--version')).trim()
    assert(printed === packed.version, `it says ${printed}`)
  })
  await checkCommand(project, node, packed.version)
  await check('it rehearses a policy', async () => {
    const report = await inProject('npx', 'understudy', 'rehearse', TOOL_POLICY)
    const [last] = report.trim().split('\n').slice(-1)
    assert(/^\d+ rows: \d+ ok, 0 wrong, 0 not checked$/.test(last), `it ended with ${last}`)
    return last
  })
  await check('the demo runs', async () => {
    await inProject('npx', 'understudy', 'demo', '--fast')
  })
  await inProject('npm', 'pkg', 'set', 'type=module')
  const examples = writeProject(project)
  const out = join(project, 'out')
  if (compiled !== undefined) cpSync(compiled, out, { recursive: true })
  else {
    await check('no link in its pages is dead', () => {
      const dead = deadLinks(join(project, 'node_modules/mcp-understudy'))
      assert(dead.length === 0, `\n${dead.join('\n')}`)
    })
    if (!(await checkTypes(project))) return undefined
  }
  await check('the examples of the pages run', async () => {
    for (let index = 0; index < examples; index++) await inProject(node, `out/example-${index}.js`)
    return `${examples} examples`
  })
  cpSync(join(project, 'node_modules/mcp-understudy/examples'), join(project, 'examples'), {
    recursive: true,
  })
  await check('its examples pass under node:test', async () => {
    await inProject(node, '--test', 'examples/node-test/three-idioms.test.mjs')
  })
  await check('its examples pass under Vitest', async () => {
    await install('vitest')
    await inProject('npx', 'vitest', 'run', '--root', 'examples/vitest')
    await inProject('npx', 'vitest', 'run', 'tests')
  })
  return out
}

/** Installs each compiler into a folder of its own. */
async function installCompilers() {
  const compilers = []
  for (const [index, name] of COMPILERS.entries()) {
    const place = join(folder, `compiler-${index}`)
    mkdirSync(place)
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', place, name], { cwd: place })
    const { version } = JSON.parse(readFileSync(join(place, 'node_modules/typescript/package.json'), 'utf8'))
    compilers.push({ name: `TypeScript ${version}`, place })
  }
  return compilers
}

const nodes = process.argv.length > 2 ? process.argv.slice(2).map(path => resolve(path)) : [process.execPath]
try {
  const packed = await pack()
  let compiled
  for (const node of nodes) compiled = await checkNode(node, packed, compiled)
} catch (error) {
  failed++
  process.stdout.write(`FAIL ${error.message}\n`)
}
cleaner.stdin.end()
await once(cleaner, 'close')
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
