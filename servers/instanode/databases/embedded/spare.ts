import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Engine } from './engine/engine.js'
import { TEMPLATE_FILE } from './engine/template-path.js'

/** The template's one database, before it has a name of its own. */
const UNNAMED = 'postgres'

/** An empty database, open, that belongs to nobody yet. */
export interface Spare {
  engine: Engine
  /** Under the data directory. */
  directory: string
}

/** Keeps one empty database ready, so that making one is a matter of giving it a name. */
export class Spares {
  #ready: Promise<Spare> | undefined
  #closed = false

  /**
   * @param root the data directory
   * @param directoryName a fresh name at each call
   * @param statementTimeoutMs shown by new databases
   */
  constructor(
    readonly root: string,
    readonly directoryName: () => string,
    readonly statementTimeoutMs: number,
  ) {}

  /** Begins to prepare one, unless one is there. */
  prepare(): void {
    if (this.#closed || this.#ready !== undefined) return
    this.#ready = this.#make()
    // Told to who takes it; a spare nobody asks for may fail unheard.
    this.#ready.catch(() => {})
  }

  /** Resolves when one is ready to be taken. @throws Error when the engine does not start */
  async ready(): Promise<void> {
    this.prepare()
    await this.#ready
  }

  /** Hands one over, as soon as there is one. @throws Error when the engine does not start */
  async take(): Promise<Spare> {
    this.prepare()
    const taken = this.#ready ?? this.#make()
    this.#ready = undefined
    return await taken
  }

  async close(): Promise<void> {
    this.#closed = true
    const spare = await this.#ready?.catch(() => undefined)
    if (spare === undefined) return
    await spare.engine.kill()
    await rm(join(this.root, spare.directory), { recursive: true, force: true })
  }

  async #make(): Promise<Spare> {
    const directory = this.directoryName()
    const engine = await Engine.open({
      directory: join(this.root, directory),
      database: UNNAMED,
      template: TEMPLATE_FILE,
      statementTimeoutMs: this.statementTimeoutMs,
    })
    return { engine, directory }
  }
}
