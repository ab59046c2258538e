import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Refusal } from '../../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../../shared/util/read-file.js'
import { cut } from '../../../../shared/util/shown.js'

/**
 * Makes a data directory, and the directories above it that are missing.
 *
 * @throws Refusal `bad_data_directory` if the system refuses
 */
export function makeDataDirectory(directory: string): void {
  const path = resolve(directory)
  if (existsSync(path)) return
  // Not `recursive`: Node.js never returns from that below /proc.
  if (dirname(path) !== path) makeDataDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may make the same directories.
    if (!isCode(error, 'EEXIST')) throw unwritable(path, error)
  }
}

function unwritable(path: string, error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : error
  return new Refusal(
    'bad_data_directory',
    `the data directory cannot be used: ${path} cannot be written (${code})`,
    'name a directory that this user may write, with --data-dir',
  )
}

/** Directories this process holds: a lock with our own id that is not among them is a namesake's, before a restart. */
const held = new Set<string>()

/**
 * Keeps a data directory to one process: two engines on the same files would silently diverge.
 *
 * The file holds the process's id and when it started, since ids come round again (in a container, at once). It also
 * names the PID namespace, because another container's ids mean nothing here.
 */
export class DirectoryLock {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws Refusal `data_directory_in_use` naming the process that has it, `bad_data_directory` */
  static take(directory: string): DirectoryLock {
    const path = join(directory, 'lock')
    // A lock left by a dead process is moved away, which only one of several heirs can do; then all try again.
    for (let attempt = 0; attempt < 3; attempt++) {
      if (create(path)) {
        held.add(path)
        return new DirectoryLock(path)
      }
      const owner = ownerIn(path, directory)
      if (isAlive(owner, path)) throw inUse(directory, owner)
      bury(path)
    }
    throw inUse(directory, 'unknown')
  }

  /**
   * Takes the lock of a directory that a process has left behind. For directories that nobody will come back to: where
   * {@link take} has to assume that an owner is gone, this assumes that it is there.
   *
   * @returns undefined unless there is a lock, and its owner is certainly gone
   */
  static inherit(directory: string): DirectoryLock | undefined {
    const owner = ownerOf(join(directory, 'lock'))
    if (owner === undefined || !isCertainlyGone(owner)) return undefined
    try {
      return DirectoryLock.take(directory)
    } catch (error) {
      // Another process was faster.
      if (error instanceof Refusal || isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  release(): void {
    held.delete(this.#path)
    rmSync(this.#path, { force: true })
  }
}

function inUse(directory: string, owner: string): Refusal {
  return new Refusal(
    'data_directory_in_use',
    `the data directory ${directory} is in use by process ${cut(owner.split(' ')[0] ?? '', 20)}`,
    'stop that process, or start with another --data-dir',
  )
}

/** Empty if it was released since. */
function ownerIn(path: string, directory: string): string {
  try {
    return readRegularFile(path).toString('utf8').trim()
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    if (error.code === 'ENOENT') return ''
    throw new Refusal(
      'bad_data_directory',
      `the lock ${path} cannot be read (${error.message})`,
      `remove it if no process uses ${directory}, or start with another --data-dir`,
    )
  }
}

function create(path: string): boolean {
  try {
    const owner = [process.pid, startOf(process.pid), pidNamespace()].join(' ')
    writeFileSync(path, `${owner}\n`, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw unwritable(path, error)
  }
}

function bury(path: string): void {
  const grave = `${path}.${process.pid}`
  try {
    renameSync(path, grave)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
  rmSync(grave, { force: true })
}

/** What a lock says, or undefined without one. */
function ownerOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** In doubt it is not: a foreign namespace, an id in use whose start is not known, another copy of this module. */
function isCertainlyGone(owner: string): boolean {
  const [pid = '', start = '', namespace = ''] = owner.split(' ')
  if (!/^\d+$/.test(pid) || namespace !== pidNamespace()) return false
  if (Number(pid) === process.pid) return start !== '' && start !== startOf(process.pid)
  return !isAlive(owner, '')
}

/** Names the PID namespace of this process; empty where the system has none. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function isAlive(owner: string, path: string): boolean {
  const [pid = '', start = ''] = owner.split(' ')
  if (Number(pid) === process.pid) return held.has(path)
  if (!/^\d+$/.test(pid)) return false
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return isCode(error, 'EPERM')
  }
  return start === '' || start === startOf(Number(pid))
}

/** When a process started, in the kernel's ticks; empty where the system does not say (it is Linux that does). */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in brackets, may hold spaces; start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** Bytes of the files in a directory; one that vanishes meanwhile counts nothing. */
export async function directorySize(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(directory)).map(async file =>
      stat(join(directory, file)).then(
        found => found.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
