import { constants } from 'node:fs'
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal } from '../../../../shared/errors.js'
import type { DatabaseRecord } from './index-file.js'

/** Directories of copies under the data directory. */
export const COPIES_DIRECTORY = /^copies_[0-9a-f]{16}$/

/** Copies of databases' files, under the data directory, for as long as the process has it. */
export class Copies {
  readonly #root: string
  /** By their directory: the records of the databases as they were, each with the place of its copy. */
  readonly #kept = new Map<string, readonly DatabaseRecord[]>()

  /** @param root the data directory */
  constructor(root: string) {
    this.#root = root
  }

  /**
   * Keeps copies.
   *
   * @param id fresh, a name that {@link COPIES_DIRECTORY} knows
   * @param databases each with what runs work while its files are still
   * @throws whatever a copy failed with; nothing is kept then
   */
  async keep(
    id: string,
    databases: readonly {
      record: DatabaseRecord
      still(work: (signal: AbortSignal) => Promise<void>): Promise<void>
    }[],
  ): Promise<void> {
    const records: DatabaseRecord[] = []
    try {
      for (const { record, still } of databases) {
        const directory = join(id, record.name)
        const [from, to] = [join(this.#root, record.directory), join(this.#root, directory)]
        await still(signal => copyTree(from, to, signal))
        records.push({ ...record, directory })
      }
    } catch (error) {
      await this.#remove(id)
      throw error
    }
    this.#kept.set(id, records)
  }

  /**
   * Copies the files back, into fresh directories.
   *
   * @param directoryName a fresh name at each call
   * @param within limits the copying of one database
   * @returns the databases as they were, with their new places
   * @throws Refusal `unknown_copies`; whatever a copy failed with, nothing is left of it then
   */
  async unfold(
    id: string,
    directoryName: () => string,
    within: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>,
  ): Promise<DatabaseRecord[]> {
    const kept = this.#kept.get(id)
    if (kept === undefined) {
      throw new Refusal('unknown_copies', `there are no copies of databases ${JSON.stringify(id)}`)
    }
    const unfolded: DatabaseRecord[] = []
    try {
      for (const record of kept) {
        const directory = directoryName()
        unfolded.push({ ...record, directory })
        const [from, to] = [join(this.#root, record.directory), join(this.#root, directory)]
        await within(signal => copyTree(from, to, signal))
      }
    } catch (error) {
      for (const { directory } of unfolded) await this.#remove(directory)
      throw error
    }
    return unfolded
  }

  async forget(id: string): Promise<void> {
    if (this.#kept.delete(id)) await this.#remove(id)
  }

  async forgetAll(): Promise<void> {
    for (const id of [...this.#kept.keys()]) await this.forget(id)
  }

  async #remove(directory: string): Promise<void> {
    await rm(join(this.#root, directory), { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Copies a directory; where the file system can share blocks between files, without copying those. */
async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  const entries = await readdir(from, { withFileTypes: true })
  await Promise.all(
    entries.map(async entry => {
      signal.throwIfAborted()
      const [source, target] = [join(from, entry.name), join(to, entry.name)]
      if (entry.isDirectory()) await copyTree(source, target, signal)
      else await copyFile(source, target, constants.COPYFILE_FICLONE)
    }),
  )
}
