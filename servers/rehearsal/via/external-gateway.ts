import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { Child } from '../../gateway/stdio/child-process.js'
import { type Answer, type Caller, Callers, deadline, INITIALIZE, PATIENCE_MS } from './caller.js'
import { headersOf, type OpenWay } from './gateway.js'
import { HttpCaller } from './http-caller.js'

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
class ListeningChild {
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

export interface CommandOptions {
  /** `{upstream}`, `{policy}` and `{port}` in it stand for what they say. */
  template: readonly string[]
  policyFile: string
  bearers?: readonly string[]
  /** Whether it speaks on its pipes. Default: it listens. */
  pipes?: boolean
}

/** A gateway started for each server that the rehearsal needs. */
export function command({ template, policyFile, bearers = [], pipes = false }: CommandOptions): OpenWay {
  return async (stage, names) => {
    const children = new Map<ServerName, Promise<ListeningChild>>()
    const childOf = (server: ServerName): Promise<ListeningChild> => {
      const child = children.get(server) ?? listening(server)
      children.set(server, child)
      return child
    }
    const listening = async (server: ServerName) => {
      const port = template.some(word => word.includes('{port}')) ? await freePort() : undefined
      const words = filled(template, { upstream: stage.upstream(server), policy: policyFile, port })
      return ListeningChild.start(words, { machine: stage.machine, port, upstream: stage.upstream(server) })
    }
    // A pipe has one end: whoever calls is one and the same.
    const piped = new Callers(server => {
      const words = filled(template, {
        upstream: stage.upstream(server),
        policy: policyFile,
        port: undefined,
      })
      return PipeCaller.open(words, stage.machine)
    })
    const callers = new Callers(async (server, as) =>
      HttpCaller.open({
        url: (await childOf(server)).url,
        headers: headersOf(as, names, bearers),
        machine: stage.machine,
      }),
    )
    return {
      name: template.join(' '),
      advances: false,
      grants: pipes ? 1 : Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => (pipes ? piped.get(server, '') : callers.get(server, as)),
      async close() {
        await callers.close()
        await piped.close()
        for (const child of await Promise.allSettled(children.values())) {
          if (child.status === 'fulfilled') await child.value.close()
        }
      },
    }
  }
}

interface Filling {
  upstream: string
  policy: string
  port: number | undefined
}

function filled(template: readonly string[], { upstream, policy, port }: Filling): [string, ...string[]] {
  const [program, ...args] = template.map(word =>
    word.replaceAll('{upstream}', upstream).replaceAll('{policy}', policy).replaceAll('{port}', String(port)),
  )
  if (program !== undefined) return [program, ...args]
  throw new Refusal(
    'no_command',
    'there is no command behind --',
    'give one, e.g. -- my-gateway --port {port} {upstream}',
  )
}

/** One that was free a moment ago: a program that is given a port has to be given a number. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('a port was not given')
  return address.port
}

/**
 * A gateway that runs already, and has the stage's server behind it.
 *
 * @param bearers what it knows its callers by
 */
export function url(mcpUrl: string, bearers: readonly string[] = []): OpenWay {
  return async (stage, names) => {
    if (stage.servers.length > 1) {
      throw new Refusal(
        'one_url',
        'one URL is in front of one server',
        'pick it with --server instanode, or safebot',
      )
    }
    const callers = new Callers((_server, as) =>
      HttpCaller.open({ url: mcpUrl, headers: headersOf(as, names, bearers), machine: stage.machine }),
    )
    return {
      name: mcpUrl,
      advances: false,
      grants: Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => callers.get(server, as),
      close: () => callers.close(),
    }
  }
}

/** Calls a gateway that is a child of this process and speaks on its pipes. */
class PipeCaller implements Caller {
  readonly #machine: Clock
  readonly #waiting = new Map<unknown, (answer: Answer) => void>()
  #child: Child | undefined
  #ended: string | undefined
  #lastId = 0

  private constructor(machine: Clock) {
    this.#machine = machine
  }

  /** @throws Refusal `cannot_start` */
  static async open(command: readonly [string, ...string[]], machine: Clock): Promise<PipeCaller> {
    const caller = new PipeCaller(machine)
    caller.#child = await Child.start({ command }, machine, {
      line: line => caller.#line(line),
      tooLong: () => undefined,
      ended: code => caller.#end(`the gateway has ended with code ${code}`),
    })
    await caller.ask('initialize', INITIALIZE)
    caller.#child.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }))
    return caller
  }

  async ask(method: string, params?: unknown): Promise<Answer> {
    const id = ++this.#lastId
    const answer = this.#answerTo(id)
    this.#child?.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return answer
  }

  async askAll(requests: readonly { method: string; params: unknown }[]): Promise<Answer[]> {
    const batch = requests.map(request => ({ jsonrpc: '2.0', id: ++this.#lastId, ...request }))
    const answers = batch.map(({ id }) => this.#answerTo(id))
    this.#child?.write(JSON.stringify(batch))
    return Promise.all(answers)
  }

  async close(): Promise<void> {
    await this.#child?.close()
  }

  async #answerTo(id: number): Promise<Answer> {
    if (this.#ended !== undefined) return { kind: 'nothing', why: this.#ended }
    const { signal, over } = deadline(this.#machine)
    const answer = await new Promise<Answer>(resolve => {
      this.#waiting.set(id, resolve)
      const why = `no answer in ${PATIENCE_MS / 1000} s`
      signal.addEventListener('abort', () => resolve({ kind: 'nothing', why }), { once: true })
    })
    over()
    this.#waiting.delete(id)
    return answer
  }

  #line(line: string): void {
    const messages = messagesOf(line)
    for (const message of messages) {
      if (!isObject(message) || 'method' in message) continue
      // An error without an id answers whatever is asked: there is never more than one thing at a time.
      const waiting = this.#waiting.get(message.id) ?? (message.id == null ? this.#first() : undefined)
      waiting?.({ kind: 'response', message })
    }
  }

  #first(): ((answer: Answer) => void) | undefined {
    return [...this.#waiting.values()][0]
  }

  #end(why: string): void {
    this.#ended = why
    for (const resolve of [...this.#waiting.values()]) resolve({ kind: 'nothing', why })
  }
}

function messagesOf(line: string): unknown[] {
  try {
    const body: unknown = JSON.parse(line)
    return Array.isArray(body) ? body : [body]
  } catch {
    return []
  }
}
