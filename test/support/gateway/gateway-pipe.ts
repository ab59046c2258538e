import { PassThrough } from 'node:stream'
import type { Gateway } from '../../../servers/gateway/index.js'

/** A client on a pipe, which says lines and reads what comes. */
export class GatewayPipe {
  readonly #input = new PassThrough()
  #text = ''
  #watch: (() => void) | undefined

  constructor(gateway: Gateway, grant?: string) {
    const output = new PassThrough()
    output.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('utf8')
      this.#watch?.()
    })
    gateway.serveStdio({ input: this.#input, output, grant, onEnd: () => undefined })
  }

  say(message: unknown): void {
    this.#input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
  }

  /** All that has been read so far. */
  get messages(): Record<string, unknown>[] {
    const lines = this.#text.split('\n').slice(0, -1)
    return lines.map(line => Object(JSON.parse(line)))
  }

  /** The first message for which `holds`, past or to come. */
  async find(holds: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.messages.find(holds)
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        this.#watch = resolve
      })
    }
  }

  /** Makes a request and waits for its answer. */
  ask(request: { id?: unknown }): Promise<Record<string, unknown>> {
    this.say(request)
    return this.find(({ id, method }) => id === request.id && method === undefined)
  }
}
