import { closeSync, createWriteStream, fsyncSync, openSync, type WriteStream, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Refusal } from '../errors.js'

/**
 * Maximum number of bytes that wait for a slow disk. Beyond it, new entries are not written, and `onError` is
 * called.
 */
const MAX_QUEUED = 64 * 1024 * 1024

const NEWLINE = 0x0a

/** Writes the lines of a {@link JsonLinesFile}. */
interface LineWriter {
  write(line: string): void
  flush(): Promise<void>
  close(): Promise<void>
}

/**
 * A file with one entry, as JSON, on each line. A new file is readable only by its owner, because entries may
 * contain secrets.
 */
export class JsonLinesFile {
  readonly #writer: LineWriter

  private constructor(writer: LineWriter) {
    this.#writer = writer
  }

  /**
   * Opens `path` for appending, and creates the file if it does not exist. If an earlier writer was killed
   * within a line, the next entry starts on a new line.
   *
   * @param what the content of the file, for example `journal`
   * @param onError called when an entry could not be written
   * @param options `sync`: true if an entry must be on the disk when {@link append} returns. Default false:
   *   the entry is written soon after
   * @throws Refusal `<what>_file` if the file cannot be written
   */
  static async open(
    what: string,
    path: string,
    onError: (error: unknown) => void,
    { sync = false }: { sync?: boolean } = {},
  ): Promise<JsonLinesFile> {
    try {
      const handle = await open(path, 'a', 0o600)
      try {
        if (await endsInHalfALine(handle, path)) await handle.write('\n')
      } finally {
        await handle.close()
      }
      return new JsonLinesFile(sync ? new SyncedLines(path, onError) : new StreamedLines(path, onError))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Refusal(
        `${what}_file`,
        `cannot write the ${what} to "${path}" (${reason})`,
        'give a path in a folder that exists and that you may write to',
      )
    }
  }

  append(entry: object): void {
    this.#writer.write(`${JSON.stringify(entry)}\n`)
  }

  /** Resolves when all appended entries are written. Further entries can be appended meanwhile. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** Writes all appended entries and closes the file. */
  close(): Promise<void> {
    return this.#writer.close()
  }
}

/**
 * Returns whether a file ends in an incomplete line. Returns false for a pipe, and for a file without read
 * permission.
 */
async function endsInHalfALine(appending: FileHandle, path: string): Promise<boolean> {
  const stats = await appending.stat()
  if (!stats.isFile() || stats.size === 0) return false
  const reading = await open(path, 'r').catch(() => undefined)
  if (reading === undefined) return false
  try {
    const { buffer, bytesRead } = await reading.read(Buffer.alloc(1), 0, 1, stats.size - 1)
    return bytesRead === 1 && buffer[0] !== NEWLINE
  } finally {
    await reading.close()
  }
}

class StreamedLines implements LineWriter {
  readonly #stream: WriteStream
  readonly #onError: (error: unknown) => void
  /** True if the latest entry was left out because the disk is too slow. */
  #behind = false

  constructor(path: string, onError: (error: unknown) => void) {
    this.#onError = onError
    this.#stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
    this.#stream.on('error', onError)
  }

  write(line: string): void {
    if (this.#stream.writableLength > MAX_QUEUED) {
      if (!this.#behind) this.#onError(new Error('the disk is too slow: entries are missing in the file'))
      this.#behind = true
      return
    }
    this.#behind = false
    this.#stream.write(line)
  }

  flush(): Promise<void> {
    return new Promise(resolve => this.#stream.write('', () => resolve()))
  }

  close(): Promise<void> {
    return new Promise(resolve => this.#stream.end(resolve))
  }
}

/** Blocks the process until each line is on the disk. */
class SyncedLines implements LineWriter {
  readonly #file: number
  readonly #onError: (error: unknown) => void
  /** True if the last line of the file is incomplete. */
  #halfALine = false

  constructor(path: string, onError: (error: unknown) => void) {
    this.#file = openSync(path, 'a', 0o600)
    this.#onError = onError
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#halfALine ? `\n${line}` : line)
    let written = 0
    try {
      while (written < bytes.length) written += writeSync(this.#file, bytes, written)
      fsyncSync(this.#file)
    } catch (error) {
      this.#onError(error)
    }
    if (written > 0) this.#halfALine = bytes[written - 1] !== NEWLINE
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    closeSync(this.#file)
  }
}
