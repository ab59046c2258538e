import { createWriteStream, type WriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Refusal } from '../errors.js'
import type { JournalEntry } from './entry.js'

/** The journal as a file of JSON lines, one per ended request. Readable by its owner alone: bodies hold secrets. */
export class JournalFile {
  readonly #stream: WriteStream

  private constructor(stream: WriteStream) {
    this.#stream = stream
  }

  /**
   * Opens `path` for appending, and makes it if need be.
   *
   * @throws Refusal `journal_file` if it cannot be written
   */
  static async open(path: string, onError: (error: unknown) => void): Promise<JournalFile> {
    try {
      const handle = await open(path, 'a', 0o600)
      await handle.close()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Refusal(
        'journal_file',
        `cannot write the journal to "${path}" (${reason})`,
        'give a path in a folder that exists and that you may write to',
      )
    }
    const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
    stream.on('error', onError)
    return new JournalFile(stream)
  }

  append(entry: JournalEntry): void {
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
