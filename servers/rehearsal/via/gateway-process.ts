import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { LineReader } from '../../../shared/mcp/line-reader.js'

/** Time between SIGTERM and SIGKILL when a gateway is ended, in milliseconds. */
const END_MS = 2000

/** Maximum time to wait for a gateway's pipes to close after its process has ended, in milliseconds. */
const PIPES_MS = 250

/**
 * Maximum length of the output that is kept, in characters. The output is quoted in errors, and searched for
 * the gateway's URL.
 */
const KEPT_CHARS = 64 * 1024

const MAX_LINE_BYTES = 16 * 1024 * 1024

/** The values of the placeholders in a command. */
export interface Placeholders {
  readonly upstream: string
  readonly policy: string
  /** A free port of this machine. Undefined if the command has no `{port}`. */
  readonly port: number | undefined
}

export interface GatewayProcessOptions {
  /** The program and its arguments, with the placeholders `{upstream}`, `{policy}`, `{port}` and `{tmp}`. */
  template: readonly string[]
  placeholders: Placeholders
  machine: Clock
  /** Called with each line of stdout. Default: stdout is kept in `output`, like stderr. */
  onLine?: (line: string) => void
  onEnd?: () => void
}

/**
 * A gateway that the rehearsal starts, in its own process group.
 *
 * `HOME` and `{tmp}` are a temporary folder, so that the next run does not find counters that a gateway has
 * stored. `close` ends the whole process group, because `npx` and shells start further processes.
 */
export class GatewayProcess {
  readonly #child: ChildProcess
  readonly #options: GatewayProcessOptions
  readonly #folder: string
  readonly #whenEnded: Promise<void>
  readonly #killOnExit = () => this.#kill('SIGKILL')
  #output = ''
  #howEnded: string | undefined

  private constructor(child: ChildProcess, folder: string, options: GatewayProcessOptions) {
    this.#child = child
    this.#folder = folder
    this.#options = options
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-KEPT_CHARS)
    }
    child.stderr?.on('data', keep)
    child.stdin?.on('error', () => undefined)
    const { onLine } = options
    if (onLine === undefined) child.stdout?.on('data', keep)
    else {
      const lines = new LineReader(onLine, () => undefined, MAX_LINE_BYTES)
      child.stdout?.on('data', (chunk: Buffer) => lines.push(chunk))
    }
    this.#whenEnded = new Promise(resolve => {
      const end = (why: string) => {
        if (this.#howEnded !== undefined) return
        this.#howEnded = why
        resolve()
        options.onEnd?.()
      }
      child.once('close', (code, signal) => end(endOf(code, signal)))
      child.once('exit', (code, signal) => {
        // A process outside of the group may keep the pipes open. Then there is no `close` event.
        const { machine } = options
        machine.wakeAt(machine.now() + PIPES_MS, () => end(endOf(code, signal)))
      })
      child.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ENOENT' ? 'was not found' : `cannot be started (${error.message})`),
      )
    })
    process.once('exit', this.#killOnExit)
  }

  /**
   * Starts a gateway.
   *
   * @throws Refusal `no_command`, or `cannot_start` for a program that cannot be started
   */
  static async start(options: GatewayProcessOptions): Promise<GatewayProcess> {
    if (options.template.length === 0) {
      throw new Refusal(
        'no_command',
        'there is no command behind --',
        'give one, e.g. -- my-gateway --port {port} {upstream}',
      )
    }
    const folder = await mkdtemp(join(tmpdir(), 'understudy-gateway-'))
    const [program = '', ...args] = options.template.map(word => filled(word, options.placeholders, folder))
    const child = spawn(program, args, {
      detached: true,
      env: { ...process.env, HOME: folder },
      stdio: [options.onLine === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const started = new GatewayProcess(child, folder, options)
    await new Promise<void>(resolve => {
      child.once('spawn', resolve)
      child.once('error', () => resolve())
    })
    if (child.pid !== undefined) return started
    await started.close()
    throw new Refusal(
      'cannot_start',
      `the gateway ${JSON.stringify(program)} ${started.#howEnded ?? 'cannot be started'}`,
      'check the command behind --',
    )
  }

  /** How the process ended, e.g. `ended with code 1`. Undefined while it runs. */
  get ended(): string | undefined {
    return this.#howEnded
  }

  /** The output of the gateway. Only the last {@link KEPT_CHARS} characters are kept. */
  get output(): string {
    return this.#output
  }

  /** The last three lines of output, shortened to 300 characters. Empty if there is no output. */
  get lastOutput(): string {
    const lines = this.#output.trim().split('\n')
    return lines.slice(-3).join(' | ').slice(-300)
  }

  /** Writes a line to the stdin of the gateway. */
  write(line: string): void {
    if (this.#howEnded === undefined) this.#child.stdin?.write(`${line}\n`)
  }

  /** Ends the process group of the gateway, and removes the temporary folder. */
  async close(): Promise<void> {
    const { machine } = this.#options
    this.#child.stdin?.end()
    this.#kill('SIGTERM')
    const kill = machine.wakeAt(machine.now() + END_MS, () => this.#kill('SIGKILL'))
    await this.#whenEnded
    kill.cancel()
    // Other processes of the group may still be running after the gateway has ended.
    this.#kill('SIGKILL')
    process.off('exit', this.#killOnExit)
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) pipe?.destroy()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // The group has ended, or this system has no process groups.
      this.#child.kill(signal)
    }
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  return `ended with ${code === null ? signal : `code ${code}`}`
}

function filled(word: string, { upstream, policy, port }: Placeholders, folder: string): string {
  return word
    .replaceAll('{upstream}', upstream)
    .replaceAll('{policy}', policy)
    .replaceAll('{port}', String(port))
    .replaceAll('{tmp}', folder)
}
