import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'

/** How long a gateway has to listen, and to end. */
const START_MS = 20_000
const END_MS = 2000
/** How often a port is tried that nothing has been said of. */
const TRY_MS = 50

const URL_IN_OUTPUT = /https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0):(\d+)[^\s"'<>,)]*/g

interface ChildOptions {
  machine: Clock
  /** Where it was told to listen; undefined: it says where. */
  port: number | undefined
  /** Not the URL it is looked for by. */
  upstream: string
}

/** A gateway as a child that listens: where, its output tells, or the port it was given. */
export class ListeningChild {
  readonly #process: ChildProcess
  readonly #machine: Clock
  readonly #over: Promise<void>
  #output = ''
  #ended: string | undefined

  private constructor(
    process: ChildProcess,
    machine: Clock,
    readonly options: ChildOptions,
  ) {
    this.#process = process
    this.#machine = machine
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString('utf8')
      })
    }
    this.#over = new Promise(resolve => {
      process.on('close', code => {
        this.#ended = `ended with code ${code}`
        resolve()
      })
      process.on('error', error => {
        this.#ended = error.message
        resolve()
      })
    })
  }

  /** @throws Refusal `gateway_not_ready` if it does not listen */
  static async start(words: readonly [string, ...string[]], options: ChildOptions): Promise<ListeningChild> {
    const [program, ...args] = words
    const process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const child = new ListeningChild(process, options.machine, options)
    try {
      await child.#ready(program)
    } catch (error) {
      await child.close()
      throw error
    }
    return child
  }

  /** Its MCP endpoint. */
  get url(): string {
    return this.#said() ?? `http://127.0.0.1:${this.options.port}/mcp`
  }

  async close(): Promise<void> {
    this.#process.kill('SIGTERM')
    const kill = this.#machine.wakeAt(this.#machine.now() + END_MS, () => void this.#process.kill('SIGKILL'))
    await this.#over
    kill.cancel()
  }

  /** What it says of where it listens, at the port it was given if it was given one. */
  #said(): string | undefined {
    for (const [found, port] of this.#output.matchAll(URL_IN_OUTPUT)) {
      if (found === this.options.upstream) continue
      if (this.options.port === undefined || Number(port) === this.options.port) {
        const url = new URL(found.replace('0.0.0.0', '127.0.0.1').replace(/[.;]+$/, ''))
        return url.pathname === '/' ? `${url.origin}/mcp` : url.href
      }
    }
    return undefined
  }

  async #ready(program: string): Promise<void> {
    const until = this.#machine.now() + START_MS
    while (this.#ended === undefined && this.#machine.now() < until) {
      if ((this.options.port !== undefined || this.#said() !== undefined) && (await this.#answers())) return
      await new Promise<void>(resolve => this.#machine.wakeAt(this.#machine.now() + TRY_MS, resolve))
    }
    const what = this.#ended ?? `did not listen within ${START_MS / 1000} s`
    const said = this.#output.trim().split('\n').slice(-3).join(' | ').slice(0, 300)
    throw new Refusal(
      'gateway_not_ready',
      `the gateway ${JSON.stringify(program)} ${what}${said === '' ? '' : `, and said: ${said}`}`,
      'have it print its URL, or give it its port with {port}; one that speaks on its pipes is run by --via stdio',
    )
  }

  /** Any answer will do: it is there. */
  async #answers(): Promise<boolean> {
    return fetch(this.url, { method: 'GET', headers: { Accept: 'application/json' } }).then(
      async response => {
        await response.body?.cancel()
        return true
      },
      () => false,
    )
  }
}
