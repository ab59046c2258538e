import type { Readable, Writable } from 'node:stream'
import { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { type HttpHandler, Listener } from '../../shared/http/listener.js'
import { IdSource } from '../../shared/ids.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import type { GatewayView } from '../../shared/schemas/gateway.js'
import { JsonLinesFile } from '../../shared/util/json-lines-file.js'
import { type OptionNames, refuseUnknownOptions } from '../../shared/util/known-options.js'
import { silentLog } from '../../shared/util/log.js'
import { defined } from '../../shared/util/objects.js'
import { Approvals, type ApprovalsSnapshot, listenForDecisions } from './approvals.js'
import { Audit } from './audit.js'
import { Enforcement } from './enforcement.js'
import { type Grants, openGrants } from './grants.js'
import type { GatewayOptions } from './options.js'
import type { PolicyEngine } from './policy/model.js'
import { openUpstream, type UpstreamRoutes } from './upstream.js'

export type { Approval, ApprovalDecision, ApprovalState } from '../../shared/schemas/approval.js'
export type {
  AuditEntry,
  AuditOutcome,
  UpstreamEnd,
  UpstreamTrip,
} from '../../shared/schemas/audit.js'
export type { Approvals } from './approvals.js'
export type { Audit, AuditListener } from './audit.js'
export { DENIED, POLICY_META } from './messages.js'
export type { CommandUpstream, GatewayOptions, GrantOptions, PolicySource } from './options.js'

/** The streams of a client on a pipe, and its grant. */
export interface PipeOptions {
  input: Readable
  output: Writable
  /** The label of the client's grant. Required if grants are configured. */
  grant?: string | undefined
  /** Called when the client has closed `input`. */
  onEnd(): void
}

/** The parts of a gateway. */
interface Parts {
  readonly audit: Audit
  readonly approvals: Approvals
  readonly grants: Grants
  readonly routes: UpstreamRoutes
  /** The clock of the machine, which ends with the gateway. */
  readonly machine: Clock
  readonly holdMs: number
}

/** A copy of the rate windows and approvals of a gateway, as plain data. */
export interface GatewaySnapshot {
  readonly engines: readonly unknown[]
  readonly approvals: ApprovalsSnapshot
}

/**
 * A gateway that protects an MCP server with a policy. Agents connect to the gateway instead of the server. A
 * denied call does not reach the server.
 */
export class Gateway {
  /** The record of the calls that the gateway has allowed or denied. */
  readonly audit: Audit
  /** The approvals that were requested. */
  readonly approvals: Approvals
  /**
   * Resolves with the exit code when the program of the upstream ends before `close` is called. Never
   * resolves for an upstream with a URL.
   */
  readonly ended: Promise<number>
  readonly #parts: Parts
  #listener: Listener | undefined
  #decisions: Listener | undefined
  readonly #beginning: GatewaySnapshot
  #pipes: { flush(): Promise<void> }[] = []
  #closing: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.#parts = parts
    this.audit = parts.audit
    this.approvals = parts.approvals
    this.ended = parts.routes.ended
    this.#beginning = this.snapshot()
  }

  /**
   * Creates a gateway and connects it to its upstream.
   *
   * @throws Refusal if an option, a policy or a grant is invalid
   * @throws Refusal if the upstream cannot be reached or started, or if a port is in use
   */
  static async create(options: GatewayOptions): Promise<Gateway> {
    const { log = silentLog, ids = new IdSource(), approvalHoldMs = 0, denialText = 'understudy' } = options
    const { auditFile } = options
    const onError = (error: unknown) => log.error('a wake-up failed', error)
    const machine = new Clock({ onError })
    const clock = options.clock ?? machine
    const grants = await openGrants(options, clock)
    const file =
      auditFile === undefined
        ? undefined
        : await JsonLinesFile.open('audit', auditFile, error => log.error('the audit file failed', error))
    const audit = new Audit(error => log.error('a listener of the audit failed', error), file)
    const approvals = new Approvals({ clock, ids: ids.stream('approvals') })
    const enforcement = new Enforcement({ clock, audit, approvals, holdMs: approvalHoldMs, denialText, log })
    const routes = await openUpstream(options, { enforcement, grants, clock, machine, ids, log }).catch(
      async error => {
        await audit.close()
        machine.close()
        throw error
      },
    )
    const gateway = new Gateway({ audit, approvals, grants, routes, machine, holdMs: approvalHoldMs })
    try {
      if (options.http !== false) gateway.#listener = await listen(options, routes.handler)
      const { host, allowedHosts, approvalPort } = options
      if (approvalPort !== undefined) {
        const address = { port: approvalPort, ...defined({ host, allowedHosts }) }
        gateway.#decisions = await listenForDecisions({ approvals, listen: address, log })
      }
    } catch (error) {
      await gateway.close()
      throw error
    }
    return gateway
  }

  /** The URL for agents over HTTP. @throws Refusal `no_http` if the gateway has no HTTP port */
  get url(): string {
    if (this.#listener !== undefined) return `${this.#listener.url}/mcp`
    throw new Refusal('no_http', 'the gateway has no HTTP port', 'create it without http: false')
  }

  /** The URL for approvals over HTTP. Undefined without the option `approvalPort`. */
  get approvalsUrl(): string | undefined {
    return this.#decisions === undefined ? undefined : `${this.#decisions.url}/approvals`
  }

  /**
   * Serves one client on a pipe. `flush` of the result resolves when all answers have been written.
   *
   * @throws Refusal `bad_grant` if grants are configured and `grant` is not the label of one of them
   */
  serveStdio({ input, output, grant: label, onEnd }: PipeOptions): { flush(): Promise<void> } {
    const { grants, routes } = this.#parts
    const grant = grants.findByLabel(label)
    const conversation = new StdioConversation({
      host: routes.pipeHost(grant),
      caller: grant,
      input,
      output,
      onEnd,
    })
    this.#pipes.push(conversation)
    return conversation
  }

  /**
   * The description of the gateway for a control plane.
   *
   * @throws Refusal `no_http` if the gateway has no HTTP port
   */
  get view(): Omit<GatewayView, 'name' | 'server'> {
    const { grants, holdMs } = this.#parts
    const shown = grants.all.map(({ label, policy }) => ({ label, policy }))
    return {
      url: this.url,
      policy: grants.configured ? null : (shown[0]?.policy ?? null),
      grants: grants.configured ? shown : [],
      approvalHoldMs: holdMs,
    }
  }

  /**
   * True if each account of the upstream has a grant of its own, and the gateway knows a caller's account by
   * its token.
   */
  get knowsAccounts(): boolean {
    const { grants } = this.#parts
    return grants.identifiesCallers && !grants.configured
  }

  /**
   * Returns the rate windows and approvals as plain data. Calls that wait for an approval continue to wait.
   */
  snapshot(): GatewaySnapshot {
    const { approvals } = this.#parts
    return { engines: this.#engines().map(engine => engine.snapshot()), approvals: approvals.snapshot() }
  }

  /**
   * Restores rate windows and approvals from a snapshot. Calls that wait for an approval are denied, because
   * their approvals no longer exist.
   */
  restore({ engines, approvals }: GatewaySnapshot): void {
    for (const [at, engine] of this.#engines().entries()) engine.restore(engines[at])
    this.approvals.restore(approvals)
  }

  /** Clears the rate windows, the approvals and the audit. Sessions stay open. */
  reset(): void {
    this.restore(this.#beginning)
    this.audit.clear()
  }

  /**
   * Answers open requests, closes the upstream and stops the gateway. A second call returns the promise of
   * the first call.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { routes, approvals, audit, machine } = this.#parts
    approvals.close()
    routes.failPending()
    // Calls that waited for an approval are answered in microtasks. These run before `setImmediate`.
    await new Promise(resolve => setImmediate(resolve))
    for (const pipe of this.#pipes) await pipe.flush()
    await this.#listener?.close()
    await this.#decisions?.close()
    await routes.close()
    await audit.close()
    machine.close()
  }

  /** Returns all engines. An engine that several grants share is returned once. */
  #engines(): PolicyEngine[] {
    return [...new Set(this.#parts.grants.all.map(({ engine }) => engine))]
  }
}

const OPTIONS: OptionNames<GatewayOptions> = {
  policy: true,
  dialect: true,
  upstream: true,
  host: true,
  port: true,
  allowedHosts: true,
  portOption: true,
  http: true,
  grants: true,
  accounts: true,
  upstreamHeaders: true,
  passHeaders: true,
  handle: true,
  denialText: true,
  approvalHoldMs: true,
  approvalPort: true,
  auditFile: true,
  clock: true,
  ids: true,
  log: true,
}

/**
 * Starts a gateway. Resolves when the gateway is ready.
 *
 * @throws Refusal if an option is unknown or invalid, or if a policy or a grant is invalid
 * @throws Refusal if the upstream cannot be reached or started, or if a port is in use
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  refuseUnknownOptions(options, OPTIONS, 'createGateway')
  return Gateway.create(options)
}

function listen(
  { host = '127.0.0.1', port = 0, allowedHosts = [], portOption = '--port' }: GatewayOptions,
  mcp: HttpHandler,
): Promise<Listener> {
  return Listener.open({
    host,
    port,
    name: 'gateway',
    portOption,
    allowedHosts,
    handlers: async () => ({ mcp }),
  })
}
