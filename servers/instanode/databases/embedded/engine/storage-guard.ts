import { fstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** ENOSPC as WebAssembly's system interface (WASI) numbers it; Postgres turns it into SQLSTATE 53100. */
const NO_SPACE = 51

/** Object ids below this belong to the catalogue, which must stay writable: `FirstNormalObjectId` in Postgres. */
const FIRST_USER_OBJECT = 16384

/** What sorts and hashes of one statement may spill to disk, in bytes. The real service means to limit this too. */
const MOST_SPILLED = 256 * 1024 * 1024

/** The part of Emscripten's file system that is used here. */
export interface EngineFiles {
  filesystems: { NODEFS: { stream_ops: { write: WriteFile } } }
  ErrnoError: new (errno: number) => Error
}

type WriteFile = (
  stream: { path: string; nfd: number },
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => number

/**
 * Keeps a database within its storage by being its disk: a write that would make a table or an index larger than is
 * left finds "no space left on device", and Postgres itself does the rest: the error, the rollback, the SQLSTATE.
 *
 * Growing is what is refused. Pages that exist can always be rewritten, so reads, deletes and updates in place go on;
 * the log, the catalogue and the maps of free space are never refused, or an error could not even be cleaned up.
 */
export class StorageGuard {
  /** How large the database's files may become, in bytes. */
  most = Number.POSITIVE_INFINITY
  written = 0
  logged = 0
  /** Never less than the truth: growth is added as it happens, shrinking is seen by measuring. */
  #size: number
  #spilled = 0
  readonly #files: string

  /** @param directory the database's own directory on the machine, `…/base/5` */
  constructor(directory: string) {
    this.#files = directory
    this.#size = this.measure()
  }

  /** Bytes of the database's files, at most. */
  get size(): number {
    return this.#size
  }

  attach(files: EngineFiles): void {
    const operations = files.filesystems.NODEFS.stream_ops
    const write = operations.write
    operations.write = (stream, buffer, offset, length, position) => {
      if (!this.#allows(stream, length, position)) throw new files.ErrnoError(NO_SPACE)
      return write(stream, buffer, offset, length, position)
    }
  }

  /** A new statement: what the last one spilled has been removed. */
  begin(most: number): void {
    this.most = most
    this.#spilled = 0
  }

  /** The exact size, in bytes. About 1 ms: some 300 files are asked. */
  measure(): number {
    let size = 0
    for (const file of readdirSync(this.#files))
      size += statSync(join(this.#files, file), { throwIfNoEntry: false })?.size ?? 0
    this.#size = size
    return size
  }

  #allows(stream: { path: string; nfd: number }, length: number, position: number): boolean {
    const { path } = stream
    if (path.includes('/pg_wal/')) this.logged += length
    if (!path.includes('/base/')) return true
    const grown = Math.max(0, position + length - fstatSync(stream.nfd).size)
    if (path.includes('/pgsql_tmp')) {
      this.#spilled += grown
      return this.#spilled <= MOST_SPILLED
    }
    if (grown > 0 && isUserData(path) && this.#size + grown > this.most && this.measure() + grown > this.most)
      return false
    this.#size += grown
    this.written += length
    return true
  }
}

/** A table's or an index's main file: `16384`, `16384.1`; its maps (`16384_fsm`, `16384_vm`) are not. */
function isUserData(path: string): boolean {
  const file = path.slice(path.lastIndexOf('/') + 1)
  return !file.includes('_') && Number.parseInt(file, 10) >= FIRST_USER_OBJECT
}
