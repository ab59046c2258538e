import { once } from 'node:events'
import { freePort } from '../support/free-port.js'
import { type StartedServer, startServer } from '../support/servers/started-server.js'

/** A replica of the service as a process, on ports that stay its own. */
export class Replica {
  readonly #program: string
  readonly #store: string
  readonly #ports: { safebot: number; control: number }
  #server: StartedServer | undefined

  private constructor(program: string, store: string, ports: { safebot: number; control: number }) {
    this.#program = program
    this.#store = store
    this.#ports = ports
  }

  /** @param program the command, or one that takes its arguments */
  static async start(program: string, store: string): Promise<Replica> {
    const replica = new Replica(program, store, { safebot: await freePort(), control: await freePort() })
    await replica.restart()
    return replica
  }

  get api(): string {
    return `http://127.0.0.1:${this.#ports.safebot}`
  }

  get control(): string {
    return `http://127.0.0.1:${this.#ports.control}`
  }

  async restart(): Promise<void> {
    const ports = ['--safebot-port', this.#ports.safebot, '--control-port', this.#ports.control]
    this.#server = await startServer(
      this.#program,
      [
        'up',
        '--json',
        '--world',
        'empty',
        '--store',
        this.#store,
        '--instanode-port',
        '0',
        ...ports.map(String),
      ],
      { ready: /^\{"ready":true/ },
    )
  }

  async kill(): Promise<void> {
    const child = this.#server?.process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
  }

  /** Moves the clock that all replicas share. @returns whether that is known to have happened */
  async advance(ms: number): Promise<boolean> {
    try {
      const { status } = await fetch(`${this.control}/clock/advance`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ms }),
        signal: AbortSignal.timeout(20_000),
      })
      return status === 200
    } catch {
      return false
    }
  }
}
