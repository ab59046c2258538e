import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import { ENGINE_VERSION } from './engine/template-path.js'
import { type DatabaseRecord, databaseRecord } from './record.js'

const contents = z.strictObject({ engine: z.string(), databases: z.array(databaseRecord) })

/** The list of a data directory's databases. Written whole, aside, and renamed: it is always one state or the next. */
export class IndexFile {
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()

  /** @param directory the data directory */
  constructor(directory: string) {
    this.#path = join(directory, 'databases.json')
  }

  /** @throws Refusal `bad_data_directory` for a list that cannot be read, or of another engine's databases */
  async read(): Promise<DatabaseRecord[]> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return []
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
        `${this.#path} belongs to engine ${parsed.data.engine}, this is ${ENGINE_VERSION}`,
        'start with another --data-dir',
      )
    return parsed.data.databases
  }

  /** Resolves when these records are on disk; writes are done in the order they were asked for. */
  async write(records: Iterable<DatabaseRecord>): Promise<void> {
    const text = JSON.stringify({ engine: ENGINE_VERSION, databases: [...records] }, undefined, 1)
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
