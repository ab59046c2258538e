import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { EngineStart, EngineState } from './channel.js'
import type { Interrupts } from './interrupts.js'
import { type EngineFiles, StorageGuard } from './storage-guard.js'
import { startParameters } from './template.js'
import type { Input, Output } from './worker-io.js'

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

function isErrorRecovery(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'status' in error && error.status === ERROR_RECOVERY
}

function startupPacket(): Buffer {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}
