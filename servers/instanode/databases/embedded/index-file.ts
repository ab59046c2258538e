import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../../shared/util/read-file.js'
import { shown } from '../../../../shared/util/shown.js'
import { ENGINE_VERSION } from './engine/template.js'

/** What is kept of a database beside its files. No password: what is here does not let anyone in. */
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
  /** Its owner is locked out for good. */
  blocked: z.boolean().default(false),
  /** Under the data directory. */
  directory: z.string(),
  /** Bytes of its files when it was made. */
  emptySize: z.number(),
})

const contents = z.strictObject({
  engine: z.string(),
  /** Where the gateway listened: URLs that have been handed out name it. */
  port: z.number(),
  databases: z.array(databaseRecord),
})

/** What a data directory holds, and where it was reached. */
export type Contents = Pick<z.infer<typeof contents>, 'port' | 'databases'>

/** The list of a data directory's databases. Written whole, aside, and renamed: it is always one state or the next. */
export class IndexFile {
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()

  /** @param directory the data directory */
  constructor(directory: string) {
    this.#path = join(directory, 'databases.json')
  }

  /** @throws Refusal `bad_data_directory` for a list that cannot be read, or of another engine's databases */
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

  /** Undefined: there is none yet. */
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

  /** Resolves when this is on disk; writes are done in the order they were asked for. */
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
