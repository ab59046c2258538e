import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../../shared/util/read-file.js'
import { shown } from '../../../../shared/util/shown.js'
import { ENGINE_VERSION } from './engine/template.js'

/** The record of one database. It has no password, and its content does not allow a login. */
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
  /** The owner is locked out for good. */
  blocked: z.boolean().default(false),
  /** Path relative to the data directory. */
  directory: z.string(),
  /** Bytes of the files of the new, empty database. */
  emptySize: z.number(),
})

const contents = z.strictObject({
  engine: z.string(),
  /** The port of the server. URLs that were handed out contain it. */
  port: z.number(),
  databases: z.array(databaseRecord),
})

/** The databases in a data directory, and the port at which they were reached. */
export type Contents = Pick<z.infer<typeof contents>, 'port' | 'databases'>

/**
 * The list of a data directory's databases. It is written to a new file that is then renamed, so a reader
 * finds one state or the next.
 */
export class IndexFile {
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()

  /** @param directory the data directory */
  constructor(directory: string) {
    this.#path = join(directory, 'databases.json')
  }

  /**
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
        `${this.#path} is not a list of databases`,
        'restore it, or start with another --data-dir',
      )
    if (parsed.data.engine !== ENGINE_VERSION)
      throw new Refusal(
        'bad_data_directory',
        `${this.#path} belongs to engine ${shown(parsed.data.engine)}, this is ${ENGINE_VERSION}`,
        'start with another --data-dir',
      )
    return parsed.data
  }

  /** Returns undefined if there is no list yet. */
  #text(): string | undefined {
    try {
      return readRegularFile(this.#path).toString('utf8')
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      if (error.code === 'ENOENT') return undefined
      const hint = 'restore it, or start with another --data-dir'
      throw new Refusal('bad_data_directory', `${this.#path} cannot be read (${error.message})`, hint)
    }
  }

  /** Resolves when this state is on disk. Writes keep their order. */
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
