import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { LineReader } from '../../../shared/mcp/line-reader.js'
import { defined } from '../../../shared/util/objects.js'
import type { CommandUpstream } from '../options.js'
import { MAX_ANSWER_BYTES } from '../proxy/read-response.js'

/**
 * Time in milliseconds until SIGTERM after the input of a program was closed, and from SIGTERM until SIGKILL.
 */
const EXIT_LIMIT_MS = 2000

export interface ChildSink {
  line(line: string): void
  /** Called for a line that is longer than the maximum. */
  tooLong(why: string): void
  /**
   * Called when the program has exited.
   *
   * @param code exit code as a shell reports it: after a signal, 128 plus the signal's number
   */
  ended(code: number): void
}

/** A program that speaks MCP on stdin and stdout. Its stderr is the stderr of this process. */
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
    // Writing fails if the program exits. This error is ignored, because the event `close` reports the exit.
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
   * Starts a program.
   *
   * @param machine the clock of machine time, for the time limits of `close`
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
        reject(new Refusal('cannot_start', message, 'check the command after --'))
      })
    })
    return child
  }

  /** Writes a line. Lines from the same turn of the event loop are written together. */
  write(json: string): void {
    if (this.#ended) return
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += `${json}\n`
  }

  /**
   * Closes the input of the program, as the specification of MCP requires. If the program does not exit, it
   * gets SIGTERM, and later SIGKILL.
   */
  async close(): Promise<void> {
    this.#flush()
    this.#process.stdin?.end()
    const term = this.#killIn(EXIT_LIMIT_MS, 'SIGTERM')
    const kill = this.#killIn(2 * EXIT_LIMIT_MS, 'SIGKILL')
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

/** Returns the POSIX number of a signal. Returns 0 for signals that do not usually end a program. */
function signalNumber(signal: NodeJS.Signals): number {
  return (
    { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }[String(signal)] ??
    0
  )
}
