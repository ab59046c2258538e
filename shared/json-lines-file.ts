import { createWriteStream, type WriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Refusal } from './errors.js'

/** Characters that wait for a disk that is slow. Past it entries are left out of the file, and the log says so. */
const MAX_QUEUED = 64 * 1024 * 1024

/** A record kept as JSON lines, one an entry. Readable by its owner alone: entries may hold secrets. */
export class JsonLinesFile {
  readonly #stream: WriteStream
  readonly #onError: (error: unknown) => void
  /** Whether entries are left out just now. */
  #behind = false

  private constructor(stream: WriteStream, onError: (error: unknown) => void) {
    this.#stream = stream
    this.#onError = onError
  }

  /**
   * Opens `path` for appending, and makes it if need be.
   *
   * @param what is kept in it, e.g. `journal`
   * @throws Refusal `<what>_file` if it cannot be written
   */
  static async open(what: string, path: string, onError: (error: unknown) => void): Promise<JsonLinesFile> {
    try {
      const handle = await open(path, 'a', 0o600)
      await handle.close()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Refusal(
        `${what}_file`,
        `cannot write the ${what} to "${path}" (${reason})`,
        'give a path in a folder that exists and that you may write to',
      )
    }
    const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
    stream.on('error', onError)
    return new JsonLinesFile(stream, onError)
  }

  append(entry: object): void {
    if (this.#stream.writableLength > MAX_QUEUED) {
      if (!this.#behind) this.#onError(new Error('the disk is too slow: entries are missing in the file'))
      this.#behind = true
      return
    }
    this.#behind = false
    this.#stream.write(`${JSON.stringify(entry)}\n`)
  }

  /** Resolves when all that was appended is in the file; it can be appended to further. */
  flush(): Promise<void> {
    return new Promise(resolve => this.#stream.write('', () => resolve()))
  }

  /** Likewise, and closes it. */
  close(): Promise<void> {
    return new Promise(resolve => this.#stream.end(resolve))
  }
}
