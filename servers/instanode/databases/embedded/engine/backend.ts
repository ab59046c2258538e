import { fstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { EngineStart, EngineState } from './channel.js'
import type { Interrupts } from './interrupts.js'
import { startParameters } from './template.js'
import type { Input, Output } from './worker-io.js'

/**
 * Number of the error ENOSPC ("no space left on device") in WASI, WebAssembly's system interface. Postgres
 * reports it as SQLSTATE 53100.
 */
const NO_SPACE = 51

/**
 * The lowest object id of user data (`FirstNormalObjectId` in Postgres). Files with lower numbers belong to
 * the system catalog, which must stay writable.
 */
const FIRST_USER_OBJECT = 16384

/**
 * Bytes of temporary files that one statement may write for sorts and hashes: 256 MB. The real service tries
 * to set such a limit and fails (`temp_file_limit` needs a superuser). Here it protects the disk of the
 * machine.
 */
const MAX_SPILLED_BYTES = 256 * 1024 * 1024

/**
 * Status of the exception by which the engine leaves its main loop after an SQL error. Postgres calls
 * `siglongjmp` there.
 */
const ERROR_RECOVERY = 100

/**
 * Directory of the database, in the data directory. 5 is the object id that `initdb` gives to the first
 * database.
 */
const DATABASE_DIRECTORY = 'base/5'

/**
 * A start-up packet of protocol 3.0 with `user` and `database`. The engine answers it with the values of its
 * parameters, and reports every later change.
 */
const STARTUP_PACKET = startupPacket()

type Module = PGlite['Module']

/**
 * Runs one Postgres in this thread. It handles one message after the other, as Postgres's own main loop does.
 *
 * Two blocking callbacks replace Postgres's reads and writes on a socket. So a statement can wait for more
 * data from its client (COPY), and long answers do not have to fit in memory.
 */
export class Backend {
  readonly #engine: PGlite
  readonly #module: Module
  readonly #guard: StorageGuard
  readonly #input: Input
  readonly #output: Output
  readonly #interrupts: Interrupts

  private constructor(
    engine: PGlite,
    guard: StorageGuard,
    io: { input: Input; output: Output; interrupts: Interrupts },
  ) {
    this.#engine = engine
    this.#module = engine.Module
    this.#guard = guard
    this.#input = io.input
    this.#output = io.output
    this.#interrupts = io.interrupts
    this.#connectCallbacks()
  }

  static async open(
    start: EngineStart,
    io: { input: Input; output: Output; interrupts: Interrupts },
  ): Promise<Backend> {
    const engine = await io.interrupts.watchWhile(() =>
      PGlite.create({
        dataDir: start.directory,
        database: start.database,
        extensions: { vector },
        pgliteWasmModule: start.wasm,
        startParams: startParameters(start.statementTimeoutMs),
      }),
    )
    const guard = new StorageGuard(join(start.directory, DATABASE_DIRECTORY))
    const files: EngineFiles = engine.Module.FS
    guard.attach(files)
    trustVector(files)
    return new Backend(engine, guard, io)
  }

  /** Makes the engine write the values of its parameters to the output. */
  reportParameters(): void {
    this.#input.give(STARTUP_PACKET)
    this.#module._ProcessStartupPacket(this.#module._pgl_getMyProcPort(), true, true)
    this.#module._pgl_sendConnData()
    this.#module._pgl_pq_flush()
  }

  /**
   * Runs messages of a client, and writes the answers to the output. Blocks the thread until all messages are
   * answered.
   *
   * @param bytes complete messages
   * @param maxBytes the largest size that the database's files may reach, in bytes
   */
  run(bytes: Uint8Array, maxBytes: number): void {
    const module = this.#module
    this.#guard.begin(maxBytes)
    this.#input.give(bytes)
    while (!this.#input.empty || module._pq_buffer_remaining_data() > 0) {
      const stack = module.stackSave()
      try {
        module._PostgresMainLoopOnce()
      } catch (error) {
        module.stackRestore(stack)
        if (!isErrorRecovery(error)) throw error
        module._PostgresMainLongJmp()
      }
    }
    module._PostgresSendReadyForQueryIfNecessary()
    module._pgl_pq_flush()
    this.#interrupts.clear()
  }

  state(): EngineState {
    return {
      size: this.#guard.size,
      logged: this.#guard.logged,
      written: this.#guard.written,
      memory: this.#module.HEAPU8.length,
    }
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }

  #connectCallbacks(): void {
    const module = this.#module
    const read = module.addFunction((address: number, maxBytes: number) => {
      const bytes = this.#input.take(maxBytes)
      module.HEAPU8.set(bytes, address)
      return bytes.length
    }, 'ipi')
    const write = module.addFunction((address: number, length: number) => {
      this.#interrupts.poll()
      this.#output.write(module.HEAPU8.subarray(address, address + length))
      return length
    }, 'ipi')
    module._pgl_set_rw_cbs(read, write)
  }
}

/** Path of the control file of the extension `vector`, in the file system of the engine. */
const VECTOR_CONTROL = '/pglite/share/postgresql/extension/vector.control'

/**
 * Marks the extension `vector` as trusted. The owner of a database can then drop it and create it again, as a
 * dump of `pg_dump --clean` does.
 */
function trustVector(files: EngineFiles): void {
  const control = files.readFile(VECTOR_CONTROL, { encoding: 'utf8' })
  files.writeFile(VECTOR_CONTROL, `${control}\ntrusted = true\n`)
}

function isErrorRecovery(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'status' in error && error.status === ERROR_RECOVERY
}

function startupPacket(): Buffer {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}

/** The part of Emscripten's file system that the backend uses. */
interface EngineFiles {
  filesystems: { NODEFS: { stream_ops: { write: WriteFile } } }
  readFile(path: string, options: { encoding: 'utf8' }): string
  writeFile(path: string, data: string): void
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
 * Enforces the storage limit of a database, in the writes to its files.
 *
 * A write that would make the files larger than the limit fails with "no space left on device". Postgres then
 * rolls back the transaction and reports the SQLSTATE.
 *
 * Only writes that enlarge the file of a table or an index are refused. Existing pages can always be
 * rewritten, so reads, deletes and updates in place still work. Writes to the log, the catalog and the free
 * space maps are never refused, because Postgres needs them to clean up after an error.
 */
class StorageGuard {
  /** The largest size that the database's files may reach, in bytes. */
  maxBytes = Number.POSITIVE_INFINITY
  /** Bytes written to the database's files since the engine opened. */
  written = 0
  /** Bytes written to the write-ahead log since the engine opened. */
  logged = 0
  /**
   * Upper bound of the size in bytes. Growth is added at once, and {@link measure} finds out when files have
   * become smaller.
   */
  #size: number
  #spilled = 0
  readonly #files: string

  /** @param directory absolute path of the database's directory, `…/base/5` */
  constructor(directory: string) {
    this.#files = directory
    this.#size = this.measure()
  }

  /** Upper bound of the size of the database's files, in bytes. */
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

  /**
   * Starts a new run. The temporary files of the last run are removed by then, so their bytes count from 0
   * again.
   */
  begin(maxBytes: number): void {
    this.maxBytes = maxBytes
    this.#spilled = 0
  }

  /**
   * Measures the exact size of the database's files, in bytes. Takes about 1 ms for some 300 files
   * (measured).
   */
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
      return this.#spilled <= MAX_SPILLED_BYTES
    }
    if (
      grown > 0 &&
      isUserData(path) &&
      this.#size + grown > this.maxBytes &&
      this.measure() + grown > this.maxBytes
    )
      return false
    this.#size += grown
    this.written += length
    return true
  }
}

/**
 * Returns whether a path is a data file of a user's table or index, such as `16384` or `16384.1`. The maps of
 * a table (`16384_fsm`, `16384_vm`) are not.
 */
function isUserData(path: string): boolean {
  const file = path.slice(path.lastIndexOf('/') + 1)
  return !file.includes('_') && Number.parseInt(file, 10) >= FIRST_USER_OBJECT
}
