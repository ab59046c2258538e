import { constants } from 'node:fs'
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal } from '../../../../shared/errors.js'
import type { DatabaseRecord } from './index-file.js'

/** The names of the directories with copies, in the data directory. */
export const COPIES_DIRECTORY = /^copies_[0-9a-f]{16}$/

/**
 * Copies the files of databases and restores them. The copies are in the data directory and are removed at
 * close.
 */
export class Copies {
  readonly #root: string
  /**
   * The records of the copied databases, by the id of the copies. The directory in a record is that of the
   * copy.
   */
  readonly #copies = new Map<string, readonly DatabaseRecord[]>()

  /** @param root the data directory */
  constructor(root: string) {
    this.#root = root
  }

  /**
   * Copies the files of databases.
   *
   * @param id a new id that matches {@link COPIES_DIRECTORY}
   * @param databases each with a function that runs work while no file of the database changes
   * @throws the error of the first copy that fails. No copy is kept then.
   */
  async create(
    id: string,
    databases: readonly {
      record: DatabaseRecord
      quiesce(work: (signal: AbortSignal) => Promise<void>): Promise<void>
    }[],
  ): Promise<void> {
    const records: DatabaseRecord[] = []
    try {
      for (const { record, quiesce } of databases) {
        const directory = join(id, record.name)
        const [from, to] = [join(this.#root, record.directory), join(this.#root, directory)]
        await quiesce(signal => copyTree(from, to, signal))
        records.push({ ...record, directory })
      }
    } catch (error) {
      await this.#remove(id)
      throw error
    }
    this.#copies.set(id, records)
  }

  /**
   * Restores the files of all databases of a set of copies, into new directories.
   *
   * @param directoryName returns a new directory name at each call
   * @param withLimit limits the time for copying one database
   * @returns the records of the databases, with their new directories
   * @throws Refusal `unknown_copies`, or the error of a copy that fails. The new directories are removed
   *   then.
   */
  async restore(
    id: string,
    directoryName: () => string,
    withLimit: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>,
  ): Promise<DatabaseRecord[]> {
    const copied = this.#copies.get(id)
    if (copied === undefined) {
      throw new Refusal('unknown_copies', `there are no copies of databases ${JSON.stringify(id)}`)
    }
    const restored: DatabaseRecord[] = []
    try {
      for (const record of copied) {
        const directory = directoryName()
        restored.push({ ...record, directory })
        const [from, to] = [join(this.#root, record.directory), join(this.#root, directory)]
        await withLimit(signal => copyTree(from, to, signal))
      }
    } catch (error) {
      for (const { directory } of restored) await this.#remove(directory)
      throw error
    }
    return restored
  }

  async forget(id: string): Promise<void> {
    if (this.#copies.delete(id)) await this.#remove(id)
  }

  async forgetAll(): Promise<void> {
    for (const id of [...this.#copies.keys()]) await this.forget(id)
  }

  async #remove(directory: string): Promise<void> {
    await rm(join(this.#root, directory), { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * Copies a directory with its content. The copies share blocks with the originals if the file system supports
 * that.
 */
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
