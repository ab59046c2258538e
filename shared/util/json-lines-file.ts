import { closeSync, createWriteStream, fsyncSync, openSync, type WriteStream, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Refusal } from '../errors.js'

/** Characters that wait for a disk that is slow. Past it entries are left out of the file, and the log says so. */
const MAX_QUEUED = 64 * 1024 * 1024

const NEWLINE = 0x0a

/** Writes the lines of a {@link JsonLinesFile}. */
interface LineWriter {
  write(line: string): void
  flush(): Promise<void>
  close(): Promise<void>
}

/** A record kept as JSON lines, one an entry. Readable by its owner alone: entries may hold secrets. */
export class JsonLinesFile {
  readonly #writer: LineWriter

  private constructor(writer: LineWriter) {
    this.#writer = writer
  }

  /**
   * Opens `path` for appending, and makes it if need be. If it ends in half a line, because its writer was killed, the
   * first entry begins a new one.
   *
   * @param what is kept in it, e.g. `journal`
   * @param onError told of an entry that could not be written
   * @param options `sync`: whether an entry is on the disk when {@link append} returns. Default false: it
   *   is written soon after.
   * @throws Refusal `<what>_file` if it cannot be written
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

  /** Resolves when all that was appended is in the file; it can be appended to further. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** Likewise, and closes it. */
  close(): Promise<void> {
    return this.#writer.close()
  }
}

/**
 * Returns whether a file ends in an incomplete line. A file without read permission counts as complete, and so does a
 * pipe.
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
  /** Whether entries are currently left out. */
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

/** Blocks the process until a line is on the disk. */
class SyncedLines implements LineWriter {
  readonly #file: number
  readonly #onError: (error: unknown) => void
  /** Whether the last line of the file is incomplete. */
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
