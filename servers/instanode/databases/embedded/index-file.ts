import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../../shared/util/read-file.js'
import { shown } from '../../../../shared/util/shown.js'
import { ENGINE_VERSION } from './engine/template.js'

/** Schema of the record of one database. The record has a SCRAM verifier and no password. */
const databaseRecord = z.strictObject({
  name: z.string(),
  user: z.string(),
  verifier: z.strictObject({
    salt: z.string(),
    iterations: z.number(),
    storedKey: z.string(),
    serverKey: z.string(),
  }),
  storageBytes: z.number().nullable(),
  connections: z.number(),
  /** True if the owner is locked out for good. */
  blocked: z.boolean().default(false),
  /** Path relative to the data directory. */
  directory: z.string(),
  /** Size of the files of the new, empty database, in bytes. */
  emptySize: z.number(),
})

const contents = z.strictObject({
  engine: z.string(),
  /** The TCP port of the databases. The next start uses it again, because connection URLs contain it. */
  port: z.number(),
  databases: z.array(databaseRecord),
})

/** The databases in a data directory, and their port at the last start. */
export type Contents = Pick<z.infer<typeof contents>, 'port' | 'databases'>

/**
 * Reads and writes `databases.json`, the list of the databases in a data directory. A new list is written to
 * another file, which is then renamed. So a reader finds the old list or the new one, never a part.
 */
export class IndexFile {
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()

  /** @param directory the data directory */
  constructor(directory: string) {
    this.#path = join(directory, 'databases.json')
  }

  /**
   * Reads the list. Without a file, the list is empty and the port is 0.
   *
   * @throws Refusal `bad_data_directory` if the list cannot be read or belongs to another version of the
   *   engine
   */
  async read(): Promise<Contents> {
    const text = this.#text()
    if (text === undefined) return { port: 0, databases: [] }
    const parsed = contents.safeParse(parseJson(text))
    if (!parsed.success)
      throw new Refusal(
        'bad_data_directory',
        `${this.#path} is not a valid list of databases`,
        'restore the file from a copy, or start with another --data-dir',
      )
    if (parsed.data.engine !== ENGINE_VERSION)
      throw new Refusal(
        'bad_data_directory',
        `${this.#path} belongs to engine version ${shown(parsed.data.engine)}, and this ` +
          `program has version ${ENGINE_VERSION}`,
        'start with another --data-dir',
      )
    return parsed.data
  }

  /** Returns the content of the file. Undefined if there is no file yet. */
  #text(): string | undefined {
    try {
      return readRegularFile(this.#path).toString('utf8')
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      if (error.code === 'ENOENT') return undefined
      const hint = 'restore the file from a copy, or start with another --data-dir'
      throw new Refusal('bad_data_directory', `${this.#path} cannot be read (${error.message})`, hint)
    }
  }

  /** Writes the list. Resolves when it is on disk. Several writes are done in the order of the calls. */
  async write({ port, databases }: Contents): Promise<void> {
    const text = JSON.stringify({ engine: ENGINE_VERSION, port, databases }, undefined, 1)
    const write = this.#writing.then(async () => {
      await writeFile(`${this.#path}.new`, text, { mode: 0o600 })
      await rename(`${this.#path}.new`, this.#path)
    })
    this.#writing = write.catch(() => {})
    await write
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export type DatabaseRecord = z.infer<typeof databaseRecord>
