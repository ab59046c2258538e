import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { Callers, REVISION } from './caller.js'
import { furtherSessions, headersOf, type OpenWay } from './gateway.js'
import { GatewayProcess, type Placeholders } from './gateway-process.js'
import { HttpCaller } from './http-caller.js'
import { PipeCaller } from './pipe-caller.js'

/** Maximum time until a started gateway listens, in milliseconds. */
const START_MS = 20_000

/** Interval between attempts to reach a gateway that is starting, in milliseconds. */
const TRY_MS = 50

const URL_IN_OUTPUT = /https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0):(\d+)[^\s"'<>,)]*/g

/**
 * A gateway that the rehearsal starts and that listens over HTTP. It listens at the port in its command, or
 * at the URL that it prints.
 */
class ListeningGateway {
  private constructor(
    readonly process: GatewayProcess,
    readonly placeholders: Placeholders,
    readonly machine: Clock,
  ) {}

  /**
   * Starts a gateway and waits until it listens.
   *
   * @throws Refusal `gateway_not_ready`, or as {@link GatewayProcess.start} does
   */
  static async start(
    template: readonly string[],
    placeholders: Placeholders,
    machine: Clock,
  ): Promise<ListeningGateway> {
    const process = await GatewayProcess.start({ template, placeholders, machine })
    const gateway = new ListeningGateway(process, placeholders, machine)
    try {
      await gateway.#ready(template[0] ?? '')
    } catch (error) {
      await process.close()
      throw error
    }
    return gateway
  }

  /** The URL of the gateway's MCP endpoint. */
  get url(): string {
    return this.#printed() ?? `http://127.0.0.1:${this.placeholders.port}/mcp`
  }

  /**
   * Returns the URL that the gateway has printed. If the command contains a port, returns only a URL with
   * this port. Undefined if there is none.
   */
  #printed(): string | undefined {
    const { upstream, port: given } = this.placeholders
    for (const [found, port] of this.process.output.matchAll(URL_IN_OUTPUT)) {
      if (found === upstream) continue
      if (given === undefined || Number(port) === given) {
        const url = new URL(found.replace('0.0.0.0', '127.0.0.1').replace(/[.;]+$/, ''))
        return url.pathname === '/' ? `${url.origin}/mcp` : url.href
      }
    }
    return undefined
  }

  async #ready(program: string): Promise<void> {
    const { process, machine, placeholders } = this
    const until = machine.now() + START_MS
    while (process.ended === undefined && machine.now() < until) {
      if ((placeholders.port !== undefined || this.#printed() !== undefined) && (await this.#answers()))
        return
      await new Promise<void>(resolve => machine.wakeAt(machine.now() + TRY_MS, resolve))
    }
    throw notReady(program, process.ended ?? `did not listen within ${START_MS / 1000} s`, process)
  }

  /** Returns whether the gateway answers an HTTP request, with any status. */
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

/**
 * Returns an error that quotes the gateway's output. If the gateway has ended and its output mentions the
 * policy, the hint is about the policy.
 */
function notReady(program: string, what: string, { lastOutput, ended }: GatewayProcess): Refusal {
  const said = lastOutput === '' ? '' : `, and said: ${lastOutput}`
  const policy = ended !== undefined && /polic|rule|yaml|json|config/i.test(lastOutput)
  return new Refusal(
    'gateway_not_ready',
    `the gateway ${JSON.stringify(program)} ${what}${said}`,
    policy
      ? 'the gateway refuses its policy: name a policy in a language that it reads, and pass the file with {policy}'
      : 'make the gateway print its URL, or pass it a port with {port}; for a gateway that speaks on its pipes, use --via stdio',
  )
}

export interface CommandOptions {
  /** The program and its arguments, with the placeholders `{upstream}`, `{policy}`, `{port}` and `{tmp}`. */
  template: readonly string[]
  /** The value of `{policy}`: the path of a policy file. Default: empty. */
  policyFile?: string
  bearers?: readonly string[]
  /** Whether the gateway speaks MCP on stdin and stdout. Default: it listens over HTTP. */
  pipes?: boolean
}

/** Runs a command that starts a gateway, once for each server that the rehearsal needs. */
export function command({ template, policyFile = '', bearers = [], pipes = false }: CommandOptions): OpenWay {
  return async (stage, names, protocol = REVISION) => {
    const { machine } = stage
    const processes: GatewayProcess[] = []
    const placeholders = async (server: ServerName): Promise<Placeholders> => ({
      upstream: stage.upstream(server),
      policy: policyFile,
      port: template.some(word => word.includes('{port}')) ? await freePort() : undefined,
    })
    const listening = new Map<ServerName, Promise<ListeningGateway>>()
    const start = async (server: ServerName) => {
      const gateway = await ListeningGateway.start(template, await placeholders(server), machine)
      processes.push(gateway.process)
      return gateway
    }
    const gatewayOf = (server: ServerName): Promise<ListeningGateway> => {
      const gateway = listening.get(server) ?? start(server)
      listening.set(server, gateway)
      return gateway
    }
    const openPipe = async (server: ServerName) =>
      PipeCaller.open({
        template,
        placeholders: await placeholders(server),
        machine,
        protocol,
        busy: () => stage.busy,
        onStart: process => processes.push(process),
      })
    const openSession = async (server: ServerName, as: string) =>
      HttpCaller.open({
        url: (await gatewayOf(server)).url,
        headers: headersOf(as, names, bearers),
        machine,
        protocol,
        busy: () => stage.busy,
      })
    const callers = new Callers(pipes ? openPipe : openSession)
    return {
      name: template.join(' '),
      advances: false,
      grants: pipes ? 1 : Math.max(1, bearers.length),
      namesRules: false,
      // A gateway on pipes cannot tell callers apart, so one caller is used for all names.
      caller: (server, as) => callers.get(server, pipes ? '' : as),
      bridged: pipes,
      ...(pipes ? {} : furtherSessions(callers, protocol)),
      lastOutput() {
        const process = processes.find(({ ended }) => ended !== undefined) ?? processes.at(-1)
        return process === undefined ? '' : endingOf(process)
      },
      async close() {
        await callers.close()
        await Promise.allSettled(listening.values())
        await Promise.all(processes.map(process => process.close()))
      },
    }
  }
}

function endingOf({ ended, lastOutput }: GatewayProcess): string {
  const what = ended === undefined ? '' : `the gateway ${ended}`
  const said = lastOutput === '' ? '' : `its last output: ${lastOutput}`
  return [what, said].filter(text => text !== '').join('; ')
}

/** Returns the number of a port that is free now. */
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
 * Uses a gateway that already runs. The stage's server has to be its upstream.
 *
 * @param bearers the bearer tokens of the callers, which the gateway has to know
 */
export function url(mcpUrl: string, bearers: readonly string[] = []): OpenWay {
  return async (stage, names, protocol = REVISION) => {
    if (stage.servers.length > 1) {
      throw new Refusal(
        'one_url',
        'a gateway URL serves one server, and this rehearsal has several',
        'choose the server with --server instanode or --server safebot',
      )
    }
    const callers = new Callers((_server, as) =>
      HttpCaller.open({
        url: mcpUrl,
        headers: headersOf(as, names, bearers),
        machine: stage.machine,
        protocol,
        busy: () => stage.busy,
      }),
    )
    return {
      name: mcpUrl,
      advances: false,
      grants: Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => callers.get(server, as),
      ...furtherSessions(callers, protocol),
      close: () => callers.close(),
    }
  }
}
