import { lstatSync, mkdtempSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryLock } from './data-directory.js'

const PREFIX = 'understudy-databases-'

/** The names that `mkdtemp` makes from the prefix. */
const TEMPORARY_DIRECTORY = /^understudy-databases-[A-Za-z0-9]{6}$/

/** Creates a temporary data directory for this process. @returns its absolute path */
export function makeTemporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), PREFIX))
}

/**
 * Removes the temporary data directories of processes that were killed. Each has 25 MB or more.
 *
 * A directory is removed only if its name matches, it belongs to the same user, and its lock names a process
 * that has certainly ended. If several processes try at once, the process that gets the lock removes the
 * directory. A directory that cannot be removed stays until the next start.
 *
 * @param parent the directory to search. Default: the temporary directory of the system
 */
export async function removeAbandonedDirectories(parent = tmpdir()): Promise<void> {
  const entries = await readdir(parent).catch(() => [])
  for (const entry of entries) {
    if (TEMPORARY_DIRECTORY.test(entry)) await removeAbandoned(join(parent, entry)).catch(() => {})
  }
}

async function removeAbandoned(directory: string): Promise<void> {
  const stats = lstatSync(directory)
  if (!stats.isDirectory() || (process.getuid !== undefined && stats.uid !== process.getuid())) return
  const lock = DirectoryLock.takeAbandoned(directory)
  if (lock === undefined) return
  try {
    await removeTemporaryDirectory(directory)
  } finally {
    lock.release()
  }
}

/**
 * Removes a temporary data directory. The lock file is removed last, so that another process can finish the
 * work if this process is killed.
 */
export async function removeTemporaryDirectory(directory: string): Promise<void> {
  for (const entry of await readdir(directory))
    if (entry !== 'lock') await rm(join(directory, entry), { recursive: true, force: true, maxRetries: 3 })
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
}
