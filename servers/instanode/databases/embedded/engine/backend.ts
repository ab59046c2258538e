import { fstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { EngineStart, EngineState } from './channel.js'
import type { Interrupts } from './interrupts.js'
import { startParameters } from './template.js'
import type { Input, Output } from './worker-io.js'

/** ENOSPC as WebAssembly's system interface (WASI) numbers it; Postgres turns it into SQLSTATE 53100. */
const NO_SPACE = 51

/** Object ids below this belong to the catalogue, which must stay writable: `FirstNormalObjectId` in Postgres. */
const FIRST_USER_OBJECT = 16384

/** What sorts and hashes of one statement may spill to disk, in bytes. The real service means to limit this too. */
const MOST_SPILLED = 256 * 1024 * 1024

/** The status with which the engine leaves its main loop for Postgres's own error recovery (`siglongjmp`). */
const ERROR_RECOVERY = 100

/** `initdb` gives the one database it leaves this id, whatever its name. */
const DATABASE_DIRECTORY = 'base/5'

/** Protocol 3.0, then `user` and `database`: makes the engine announce its parameters, and their changes from then on. */
const GREETING = startupPacket()

type Module = PGlite['Module']

/**
 * One Postgres, run message by message as its own main loop would be.
 *
 * The engine's two socket callbacks are replaced by blocking ones, so that a statement can read from its client half-way
 * through (COPY) and write without its whole answer being held in memory.
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
    this.#connect()
  }

  static async open(
    start: EngineStart,
    io: { input: Input; output: Output; interrupts: Interrupts },
  ): Promise<Backend> {
    const engine = await io.interrupts.during(() =>
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

  /** Lets the engine introduce itself; the answer goes to the output. */
  greet(): void {
    this.#input.give(GREETING)
    this.#module._ProcessStartupPacket(this.#module._pgl_getMyProcPort(), true, true)
    this.#module._pgl_sendConnData()
    this.#module._pgl_pq_flush()
  }

  /**
   * Answers frontend messages.
   *
   * @param bytes whole messages
   * @param most how large the database's files may become, in bytes
   */
  run(bytes: Uint8Array, most: number): void {
    const module = this.#module
    this.#guard.begin(most)
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

  #connect(): void {
    const module = this.#module
    const read = module.addFunction((address: number, most: number) => {
      const bytes = this.#input.take(most)
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

/** The extension's control file, in the engine's own file system. */
const VECTOR_CONTROL = '/pglite/share/postgresql/extension/vector.control'

/** Lets the owner of the database create the extension again after dropping it, as `pg_dump --clean` does. */
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

/** The part of Emscripten's file system that is used here. */
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
 * Keeps a database within its storage by being its disk: a write that would make a table or an index larger than is
 * left finds "no space left on device", and Postgres itself does the rest: the error, the rollback, the SQLSTATE.
 *
 * Growing is what is refused. Pages that exist can always be rewritten, so reads, deletes and updates in place go on;
 * the log, the catalogue and the maps of free space are never refused, or an error could not even be cleaned up.
 */
class StorageGuard {
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
