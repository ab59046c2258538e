import { once } from 'node:events'
import { freePort } from '../support/free-port.js'
import { type StartedServer, startServer } from '../support/servers/started-server.js'

/** Attempts at starting a replica. */
const STARTS = 10

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

  /**
   * Starts the program, and starts it again if it ends before it is ready, as a supervisor would. Its connections may be
   * cut meanwhile, or the machine may be too slow for the limits of its check.
   *
   * @throws Error if the last of {@link STARTS} attempts fails
   */
  async restart(): Promise<void> {
    for (let attempt = 1; this.#server === undefined; attempt++) {
      try {
        this.#server = await this.#start()
      } catch (error) {
        if (attempt === STARTS) throw error
      }
    }
  }

  async kill(): Promise<void> {
    const child = this.#server?.process
    this.#server = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  #start(): Promise<StartedServer> {
    const ports = ['--safebot-port', this.#ports.safebot, '--control-port', this.#ports.control]
    const args = ['up', '--json', '--world', 'empty', '--store', this.#store, '--instanode-port', '0']
    return startServer(this.#program, [...args, ...ports.map(String)], { ready: /^\{"ready":true/ })
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
