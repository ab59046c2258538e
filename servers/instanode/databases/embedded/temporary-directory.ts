import { lstatSync, mkdtempSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryLock } from './data-directory.js'

const PREFIX = 'understudy-databases-'

/** Names of directories that `mkdtemp` makes from the prefix. */
const TEMPORARY_DIRECTORY = /^understudy-databases-[A-Za-z0-9]{6}$/

/** Creates a temporary directory for the databases of this process. */
export function makeTemporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), PREFIX))
}

/**
 * Removes the temporary directories of processes that were killed (25 MB and more each).
 *
 * A directory is removed only if it has our name and our user, and if its lock names a process that is
 * certainly gone. Several processes may try, and the one that gets the lock removes it. A directory that
 * cannot be removed is left for the next start.
 *
 * @param parent directory to search. Default: the system's temporary directory
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
 * Removes the lock last. If only a part of the directory could be removed, another process can still take the
 * lock.
 */
export async function removeTemporaryDirectory(directory: string): Promise<void> {
  for (const entry of await readdir(directory))
    if (entry !== 'lock') await rm(join(directory, entry), { recursive: true, force: true, maxRetries: 3 })
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
}
