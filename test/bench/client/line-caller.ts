import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A client on the pipe of a server, lean enough to outrun what it measures. */
export class LineCaller {
  readonly #server: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, (line: string) => void>()
  readonly #write: (id: number, tool: string, args: object) => object
  #lastId = 0

  /**
   * Starts a server.
   *
   * @param args of Node: a program and its arguments
   * @param write makes the request of a call
   */
  constructor(args: string[], write: (id: number, tool: string, args: object) => object) {
    this.#write = write
    this.#server = spawn(process.execPath, args)
    this.#server.stderr.resume()
    createInterface({ input: this.#server.stdout }).on('line', line => {
      const id = Number(/"id":(\d+)/.exec(line)?.[1])
      const answered = this.#waiting.get(id)
      this.#waiting.delete(id)
      answered?.(line)
    })
  }

  get pid(): number | undefined {
    return this.#server.pid
  }

  /** Calls a tool and returns the line of the answer, which is checked to be a good one. */
  async call(tool: string, args: object): Promise<string> {
    const id = ++this.#lastId
    const line = await new Promise<string>(resolve => {
      this.#waiting.set(id, resolve)
      this.#server.stdin.write(`${JSON.stringify(this.#write(id, tool, args))}\n`)
    })
    if (line.includes('"result"') && !line.includes('"isError":true')) return line
    throw new Error(`${tool} was answered ${line}`)
  }

  async close(): Promise<void> {
    const ended = once(this.#server, 'exit')
    this.#server.stdin.end()
    await ended
  }
}
