import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { isObject } from '#built/shared/util/objects.js'
import type { Message } from './hooks.js'
import { HttpAnswer } from './policy-gateway.js'
import { type Exchange, parsed, type Upstream } from './upstream.js'

/** A server that is a child process and speaks on its pipes, for one client. */
export class ChildUpstream implements Upstream {
  readonly #child: ChildProcess
  readonly #waiting = new Map<unknown, { resolve(answer: Message): void; reject(error: Error): void }>()
  #emit: (message: Message) => void = () => undefined

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const { stdout } = this.#child
    if (stdout !== null) createInterface({ input: stdout }).on('line', line => this.#line(line))
    this.#child.on('error', () => this.#end())
    this.#child.on('close', () => this.#end())
    this.#child.stdin?.on('error', () => undefined)
  }

  async send(message: Message, { emit }: Exchange): Promise<Message | undefined> {
    if (this.#child.stdin?.writable !== true) throw new HttpAnswer(502, 'the server has ended', 'text/plain')
    this.#emit = emit
    const answer =
      'method' in message && 'id' in message
        ? new Promise<Message>((resolve, reject) => this.#waiting.set(message.id, { resolve, reject }))
        : undefined
    this.#child.stdin.write(`${JSON.stringify(message)}\n`)
    return answer
  }

  close(): void {
    this.#child.kill('SIGTERM')
  }

  #line(line: string): void {
    const message = parsed(line)
    if (!isObject(message)) return
    const waiting = 'method' in message ? undefined : this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (waiting === undefined) this.#emit(message)
    else waiting.resolve(message)
  }

  #end(): void {
    for (const { reject } of this.#waiting.values())
      reject(new HttpAnswer(502, 'the server has ended', 'text/plain'))
    this.#waiting.clear()
  }
}
