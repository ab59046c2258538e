import { Refusal } from '../../shared/errors.js'
import type { Instance } from '../../shared/instance.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import { SERVER_NAMES, type ServerName } from '../../shared/util/known-tools.js'
import { defined } from '../../shared/util/objects.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { ControlledGateways } from '../control/controlled.js'
import { GatewayRecord } from '../control/gateway-record.js'
import type { Gateway } from '../gateway/index.js'
import type { GatewayOptions, PolicySource, UpstreamAccounts } from '../gateway/options.js'
import type { PolicyEngine } from '../gateway/policy/index.js'
import { readHeaderLine } from '../gateway/upstream-options.js'

/**
 * The options of a gateway in front of a server of the instance. The instance sets all other options of the
 * gateway.
 */
export type GatewayInFront = Pick<
  GatewayOptions,
  | 'policy'
  | 'port'
  | 'grants'
  | 'upstreamHeaders'
  | 'passHeaders'
  | 'handle'
  | 'dialect'
  | 'denialText'
  | 'approvalHoldMs'
  | 'approvalPort'
  | 'auditFile'
>

/**
 * The gateways to start, by server. If the value is only a policy, the gateway enforces that policy on a free
 * port.
 */
export type GatewaysOptions = Partial<Record<ServerName, PolicySource | GatewayInFront>>

/** A server of the instance that a gateway protects. */
interface UpstreamServer {
  /** The URL of the server's MCP endpoint. */
  readonly url: string
  /** The accounts of the server. Undefined for a server without accounts. */
  readonly accounts?: UpstreamAccounts
}

export type Upstreams = Partial<Record<ServerName, UpstreamServer>>

/**
 * The gateways in front of an instance's servers. They use the clock of the instance, and their state is part
 * of its snapshots.
 */
export class Gateways {
  readonly #gateways = new Map<ServerName, Gateway>()
  readonly #record: GatewayRecord

  private constructor({ log }: Instance) {
    this.#record = new GatewayRecord(error => log.error('a listener of the gateways failed', error))
  }

  /**
   * Starts the gateways that the options name.
   *
   * @param upstreams the servers of the instance that a gateway can protect
   * @param listenOn returns the listen options for a port
   * @throws Refusal `no_such_server`, or the reason why a gateway cannot start. `open` closes all gateways
   *   before it rejects.
   */
  static async open(
    instance: Instance,
    options: GatewaysOptions,
    upstreams: Upstreams,
    listenOn: (port: number | undefined) => ListenOptions,
  ): Promise<Gateways> {
    const gateways = new Gateways(instance)
    try {
      for (const [server, asked] of wanted(options, upstreams)) {
        const upstream = upstreams[server]
        if (upstream === undefined) throw noServer(server, upstreams)
        await gateways.#start(instance, server, {
          ...asked,
          ...listenOn(asked.port),
          ...defined({ accounts: addsCredential(asked) ? undefined : upstream.accounts }),
          upstream: upstream.url,
        })
      }
    } catch (error) {
      await gateways.close()
      throw error
    }
    return gateways
  }

  async #start(instance: Instance, server: ServerName, asked: GatewayOptions) {
    // The code of gateways is loaded here, because most instances have no gateway.
    const { createGateway } = await import('../gateway/index.js')
    const { clock, ids, journal, log } = instance
    // The journal has to mask the headers before the gateway makes its first call.
    for (const line of asked.upstreamHeaders ?? []) journal.maskHeader(readHeaderLine(line)[0])
    const gateway = await createGateway({
      ...asked,
      portOption: `--gateway-${server}-port`,
      ids: ids.stream(`gateway of ${server}`),
      clock,
      log,
    })
    this.#gateways.set(server, gateway)
    gateway.audit.subscribe(entry => this.#record.judged(server, entry))
    gateway.approvals.subscribe(approval => this.#record.turned(server, approval))
  }

  /** The gateway in front of Instanode. @throws Refusal `no_gateway` if there is no such gateway */
  get instanode(): Gateway {
    return this.#inFrontOf('instanode')
  }

  /** The gateway in front of Safebot. @throws Refusal `no_gateway` if there is no such gateway */
  get safebot(): Gateway {
    return this.#inFrontOf('safebot')
  }

  /** Returns all gateways, each with the server that it protects. */
  all(): { server: ServerName; gateway: Gateway }[] {
    return [...this.#gateways].map(([server, gateway]) => ({ server, gateway }))
  }

  /** Returns the gateways as the control plane shows them. */
  controlled(): ControlledGateways {
    const all = this.all().map(({ server, gateway }) => ({
      view: { name: `gateway of ${server}`, server, ...gateway.view },
      approvals: gateway.approvals,
    }))
    return { all, record: this.#record }
  }

  /**
   * The counters and approvals of the gateways, for snapshots. The record of decisions is not part of this
   * state. Only a reset clears that record.
   */
  get state(): StatefulPart {
    const gateways = [...this.#gateways.values()]
    return {
      // No lock is needed. A decision is synchronous, so `work` cannot interrupt it.
      alone: work => work(),
      async keep() {
        const kept = gateways.map(gateway => ({ gateway, snapshot: gateway.snapshot() }))
        return asKept(
          kept.map(({ snapshot }) => snapshot),
          () => {
            for (const { gateway, snapshot } of kept) gateway.restore(snapshot)
          },
        )
      },
      begin: async () =>
        asKept(null, () => {
          for (const gateway of gateways) gateway.reset()
          this.#record.clear()
        }),
    }
  }

  /** Ends the streams in which clients of the control plane read decisions. */
  stop(): void {
    this.#record.stop()
  }

  async close(): Promise<void> {
    for (const gateway of this.#gateways.values()) await gateway.close()
  }

  #inFrontOf(server: ServerName): Gateway {
    const gateway = this.#gateways.get(server)
    if (gateway !== undefined) return gateway
    const hint = `give it a policy: gateways: { ${server}: 'policy.json' }`
    throw new Refusal('no_gateway', `there is no gateway in front of ${server}`, hint)
  }
}

function wanted(options: GatewaysOptions, upstreams: Upstreams): [ServerName, GatewayInFront][] {
  const unknown = Object.keys(options).find(name => !SERVER_NAMES.some(server => server === name))
  if (unknown !== undefined) throw noServer(unknown, upstreams)
  const asked: [ServerName, GatewayInFront][] = []
  for (const server of SERVER_NAMES) {
    const given = options[server]
    if (given === undefined) continue
    asked.push([server, typeof given === 'string' || isEngine(given) ? { policy: given } : given])
  }
  return asked
}

/**
 * Returns whether the gateway adds its own `Authorization` header. If it does, it does not use the accounts
 * of the callers.
 */
function addsCredential({ upstreamHeaders = [] }: GatewayInFront): boolean {
  return upstreamHeaders.some(line => /^\s*authorization\s*:/i.test(line))
}

function isEngine(asked: PolicyEngine | GatewayInFront): asked is PolicyEngine {
  return 'decide' in asked
}

function noServer(name: string, upstreams: Upstreams): Refusal {
  return new Refusal(
    'no_such_server',
    `a gateway is configured for ${JSON.stringify(name)}, and this instance has no such server`,
    `its servers are ${Object.keys(upstreams).join(', ')}`,
  )
}

function asKept(data: unknown, place: () => void): Kept {
  return { data, prepare: async () => {}, place: async () => place(), discard: async () => {} }
}
