import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Refusal } from '../../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../../shared/util/read-file.js'
import { cut } from '../../../../shared/util/shown.js'

/**
 * Creates a data directory and its missing parents.
 *
 * @throws Refusal `bad_data_directory` if a directory cannot be created
 */
export function makeDataDirectory(directory: string): void {
  const path = resolve(directory)
  if (existsSync(path)) return
  // The option `recursive` is not used, because Node.js then never returns for a path below /proc.
  if (dirname(path) !== path) makeDataDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have created the directory in the meantime.
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

/**
 * Paths of the lock files that this process has taken. A lock file that has this process id and is not in the
 * set comes from an earlier process with the same id.
 */
const ownLocks = new Set<string>()

/**
 * Lock of a data directory for one process. Two engines that write the same files would corrupt the
 * databases.
 *
 * The lock file has the process id, the start time of the process and its PID namespace. The system reuses
 * process ids, in a container after every restart, so the id is not enough. A process id is valid only inside
 * of its PID namespace.
 */
export class DirectoryLock {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /**
   * Takes the lock of a data directory.
   *
   * @throws Refusal `data_directory_in_use` with the id of the other process, or `bad_data_directory`
   */
  static take(directory: string): DirectoryLock {
    const path = join(directory, 'lock')
    // The lock file of a dead process is renamed and removed. Only one of several processes succeeds in that,
    // and then all of them try to create the file again.
    for (let attempt = 0; attempt < 3; attempt++) {
      if (createLockFile(path)) {
        ownLocks.add(path)
        return new DirectoryLock(path)
      }
      const owner = readLockFile(path, directory)
      if (isAlive(owner, path)) throw inUse(directory, owner)
      removeDeadLock(path)
    }
    throw inUse(directory, 'unknown')
  }

  /**
   * Takes the lock of a directory if its owner has certainly ended. {@link take} also replaces a lock file
   * whose owner is unknown.
   *
   * @returns undefined if there is no lock file, or if its owner may still run
   */
  static takeAbandoned(directory: string): DirectoryLock | undefined {
    const owner = readOwner(join(directory, 'lock'))
    if (owner === undefined || !hasCertainlyEnded(owner)) return undefined
    try {
      return DirectoryLock.take(directory)
    } catch (error) {
      // Another process has taken the lock or removed the directory in the meantime.
      if (error instanceof Refusal || isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  release(): void {
    ownLocks.delete(this.#path)
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

/** Returns the content of a lock file. Empty if the file was removed in the meantime. */
function readLockFile(path: string, directory: string): string {
  try {
    return readRegularFile(path).toString('utf8').trim()
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    if (error.code === 'ENOENT') return ''
    throw new Refusal(
      'bad_data_directory',
      `the lock ${path} cannot be read (${error.message})`,
      `remove the lock if no process uses ${directory}, or start with another --data-dir`,
    )
  }
}

function createLockFile(path: string): boolean {
  try {
    const owner = [process.pid, startTimeOf(process.pid), pidNamespace()].join(' ')
    writeFileSync(path, `${owner}\n`, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw unwritable(path, error)
  }
}

function removeDeadLock(path: string): void {
  const renamed = `${path}.${process.pid}`
  try {
    renameSync(path, renamed)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
  rmSync(renamed, { force: true })
}

/** Returns the content of a lock file, or undefined if it cannot be read. */
function readOwner(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/**
 * Returns whether the owner of a lock has certainly ended. False for another PID namespace, for a process id
 * in use whose start time is unknown, and for this process.
 */
function hasCertainlyEnded(owner: string): boolean {
  const [pid = '', start = '', namespace = ''] = owner.split(' ')
  if (!/^\d+$/.test(pid) || namespace !== pidNamespace()) return false
  if (Number(pid) === process.pid) return start !== '' && start !== startTimeOf(process.pid)
  return !isAlive(owner, '')
}

/** Returns the name of this process's PID namespace. Empty on a system without namespaces. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function isAlive(owner: string, path: string): boolean {
  const [pid = '', start = ''] = owner.split(' ')
  if (Number(pid) === process.pid) return ownLocks.has(path)
  if (!/^\d+$/.test(pid)) return false
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return isCode(error, 'EPERM')
  }
  return start === '' || start === startTimeOf(Number(pid))
}

/**
 * Returns the start time of a process in ticks since the boot of the system. Empty if the system does not
 * report it. Linux does.
 */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the process is in parentheses and may contain
    // spaces. The start time is the 20th field after the name.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * Returns the total size of the files in a directory, in bytes. A file that is removed in the meantime counts
 * as 0.
 */
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
