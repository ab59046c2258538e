import { createWriteStream, type WriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Refusal } from '../../../shared/errors.js'
import type { AuditEntry } from './audit-entry.js'

/** The audit as a file of JSON lines, readable by its owner alone. */
export class AuditFile {
  readonly #stream: WriteStream

  private constructor(stream: WriteStream) {
    this.#stream = stream
  }

  /**
   * Opens `path` for appending, and makes it if need be.
   *
   * @throws Refusal `audit_file` if it cannot be written
   */
  static async open(path: string, onError: (error: unknown) => void): Promise<AuditFile> {
    try {
      const handle = await open(path, 'a', 0o600)
      await handle.close()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Refusal(
        'audit_file',
        `cannot write the audit to "${path}" (${reason})`,
        'give a path in a folder that exists and that you may write to',
      )
    }
    const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
    stream.on('error', onError)
    return new AuditFile(stream)
  }

  append(entry: AuditEntry): void {
    this.#stream.write(`${JSON.stringify(entry)}\n`)
  }

  close(): Promise<void> {
    return new Promise(resolve => this.#stream.end(resolve))
  }
}
