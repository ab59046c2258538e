import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { LineReader } from '../../../shared/mcp/line-reader.js'
import { defined } from '../../../shared/util/defined.js'
import type { CommandUpstream } from '../options.js'
import { MAX_ANSWER_BYTES } from '../proxy/read-response.js'

/** How long a program may take to end after its input has ended, and again after SIGTERM. In milliseconds. */
const PATIENCE_MS = 2000

export interface ChildSink {
  line(line: string): void
  /** A line was too long to be looked at. */
  tooLong(why: string): void
  /** @param code the exit code as a shell reports it: after a signal, 128 plus its number */
  ended(code: number): void
}

/** A program that speaks MCP on its pipes. Its stderr goes to the stderr of this process. */
export class Child {
  readonly #process: ChildProcess
  readonly #machine: Clock
  readonly #over: Promise<void>
  #pending = ''
  #ended = false

  private constructor(process: ChildProcess, machine: Clock, sink: ChildSink) {
    this.#process = process
    this.#machine = machine
    const lines = new LineReader(
      line => sink.line(line),
      why => sink.tooLong(why),
      MAX_ANSWER_BYTES,
    )
    process.stdout?.on('data', (chunk: Buffer) => lines.push(chunk))
    // It is gone, or about to be: `close` tells.
    process.stdin?.on('error', () => undefined)
    this.#over = new Promise(resolve => {
      process.on('close', (code, signal) => {
        this.#ended = true
        resolve()
        sink.ended(code ?? 128 + (signal === null ? 0 : signalNumber(signal)))
      })
    })
  }

  /**
   * @param machine the machine's time, for how long it may take to end
   * @throws Refusal `cannot_start`
   */
  static async start({ command, env }: CommandUpstream, machine: Clock, sink: ChildSink): Promise<Child> {
    const [program, ...args] = command
    const process = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      ...defined({ env }),
    })
    const child = new Child(process, machine, sink)
    await new Promise<void>((resolve, reject) => {
      process.once('spawn', resolve)
      process.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'ENOENT' ? 'there is no such command' : (error.code ?? error.message)
        const message = `cannot start the upstream ${JSON.stringify(program)} (${why})`
        reject(new Refusal('cannot_start', message, 'check the command behind --'))
      })
    })
    return child
  }

  /** Writes a line. All lines of one turn of the event loop leave in one write. */
  write(json: string): void {
    if (this.#ended) return
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += `${json}\n`
  }

  /** Closes its input, as the specification has a client end a server; then less gently. */
  async close(): Promise<void> {
    this.#flush()
    this.#process.stdin?.end()
    const term = this.#killIn(PATIENCE_MS, 'SIGTERM')
    const kill = this.#killIn(2 * PATIENCE_MS, 'SIGKILL')
    await this.#over
    term.cancel()
    kill.cancel()
  }

  #killIn(ms: number, signal: NodeJS.Signals) {
    return this.#machine.wakeAt(this.#machine.now() + ms, () => void this.#process.kill(signal))
  }

  #flush(): void {
    if (this.#pending === '') return
    const pending = this.#pending
    this.#pending = ''
    this.#process.stdin?.write(pending)
  }
}

/** The signals that end programs, by their numbers in POSIX. */
function signalNumber(signal: NodeJS.Signals): number {
  return (
    { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }[String(signal)] ??
    0
  )
}
