import type { Readable, Writable } from 'node:stream'
import { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { Guard } from '../../shared/http/guard.js'
import { type HttpHandler, Listener } from '../../shared/http/listener.js'
import { IdSource } from '../../shared/ids.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import type { GatewayView } from '../../shared/schemas/gateway.js'
import { defined } from '../../shared/util/defined.js'
import { JsonLinesFile } from '../../shared/util/json-lines-file.js'
import { type OptionNames, refuseUnknownOptions } from '../../shared/util/known-options.js'
import { silentLog } from '../../shared/util/log.js'
import { Approvals, type ApprovalsSnapshot, listenForDecisions } from './approvals.js'
import { Audit } from './audit.js'
import { Gate } from './enforcement.js'
import { type Grants, openGrants } from './grants.js'
import type { GatewayOptions } from './options.js'
import type { PolicyEngine } from './policy/model.js'
import { type Behind, openUpstream } from './upstream.js'

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

/** How a client on a pipe is served. */
export interface PipeOptions {
  input: Readable
  output: Writable
  /** The label of the grant that the client is, where grants are configured. */
  grant?: string | undefined
  /** The client has closed its end. */
  onEnd(): void
}

/** The parts of a gateway. */
interface Parts {
  readonly audit: Audit
  readonly approvals: Approvals
  readonly grants: Grants
  readonly behind: Behind
  readonly own: readonly Clock[]
  readonly holdMs: number
}

/** The state of a gateway that changes with the calls it judges: rate windows and approvals, as plain data. */
export interface GatewaySnapshot {
  readonly engines: readonly unknown[]
  readonly approvals: ApprovalsSnapshot
}

/** A policy in front of an MCP server: agents connect here, and what the policy denies never gets there. */
export class Gateway {
  /** The record of the decisions about calls. */
  readonly audit: Audit
  /** The calls that wait for an approval. */
  readonly approvals: Approvals
  /** Resolves, with its exit code, when the program behind it has ended by itself; never for an upstream with a URL. */
  readonly ended: Promise<number>
  readonly #parts: Parts
  #listener: Listener | undefined
  #decisions: Listener | undefined
  readonly #beginning: GatewaySnapshot
  #pipes: { flush(): Promise<void> }[] = []

  private constructor(parts: Parts) {
    this.#parts = parts
    this.audit = parts.audit
    this.approvals = parts.approvals
    this.ended = parts.behind.ended
    this.#beginning = this.snapshot()
  }

  /**
   * A gateway with its upstream at hand.
   *
   * @throws Refusal for a policy, grants or headers that are wrong, an upstream that cannot be reached or
   *   started, a port that is taken
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
    const gate = new Gate({ clock, audit, approvals, holdMs: approvalHoldMs, denialText, log })
    const behind = await openUpstream(options, { gate, grants, clock, machine, ids, log })
    const gateway = new Gateway({ audit, approvals, grants, behind, own: [machine], holdMs: approvalHoldMs })
    try {
      if (options.http !== false) gateway.#listener = await listen(options, behind.face)
      const { host, allowedHosts, approvalPort } = options
      if (approvalPort !== undefined) {
        const listen = {
          port: approvalPort,
          ...defined({ host, allowedHosts }),
        }
        gateway.#decisions = await listenForDecisions({ approvals, listen, log })
      }
    } catch (error) {
      await gateway.close()
      throw error
    }
    return gateway
  }

  /** The URL at which agents connect. @throws Refusal `no_http` if the gateway was told not to listen */
  get url(): string {
    if (this.#listener !== undefined) return `${this.#listener.url}/mcp`
    throw new Refusal('no_http', 'the gateway does not listen', 'leave out http: false')
  }

  /** The URL at which approvals are decided. Undefined without `approvalPort`. */
  get approvalsUrl(): string | undefined {
    return this.#decisions === undefined ? undefined : `${this.#decisions.url}/approvals`
  }

  /**
   * Serves one client over a pipe.
   *
   * @throws Refusal `bad_grant` if it is not said which grant the client is, and that has to be
   */
  serveStdio({ input, output, grant: label, onEnd }: PipeOptions): { flush(): Promise<void> } {
    const { grants, behind } = this.#parts
    const grant = grants.labelled(label)
    const conversation = new StdioConversation({
      host: behind.pipeHost(grant),
      caller: grant,
      input,
      output,
      onEnd,
    })
    this.#pipes.push(conversation)
    return conversation
  }

  /** The gateway as a control plane shows it. @throws Refusal `no_http` if the gateway was told not to listen */
  get view(): Omit<GatewayView, 'name' | 'server'> {
    const { grants, holdMs } = this.#parts
    const shown = grants.all.map(({ label, policy }) => ({ label, policy }))
    return {
      url: this.url,
      policy: grants.asked ? null : (shown[0]?.policy ?? null),
      grants: grants.asked ? shown : [],
      approvalHoldMs: holdMs,
    }
  }

  /** Whether it knows callers by the accounts of its upstream. */
  get knowsAccounts(): boolean {
    const { grants } = this.#parts
    return grants.differ && !grants.asked
  }

  /** The state of rate windows and approvals. Held calls go on waiting. */
  snapshot(): GatewaySnapshot {
    const { approvals } = this.#parts
    return { engines: this.#engines().map(engine => engine.snapshot()), approvals: approvals.snapshot() }
  }

  /** Puts rate windows and approvals back. Held calls are denied, because the state that they wait in is over. */
  restore({ engines, approvals }: GatewaySnapshot): void {
    for (const [at, engine] of this.#engines().entries()) engine.restore(engines[at])
    this.approvals.restore(approvals)
  }

  /** Begins anew: nothing counted, nothing asked for or approved, an empty audit. Sessions stay open. */
  reset(): void {
    this.restore(this.#beginning)
    this.audit.clear()
  }

  /** Answers what is open, lets the upstream go, and leaves nothing running. */
  async close(): Promise<void> {
    const { behind, approvals, audit, own } = this.#parts
    approvals.close()
    behind.letGo()
    // Held calls are answered on the microtask queue.
    await new Promise(resolve => setImmediate(resolve))
    for (const pipe of this.#pipes) await pipe.flush()
    await this.#listener?.close()
    await this.#decisions?.close()
    await behind.close()
    await audit.close()
    for (const clock of own) clock.close()
  }

  /** Each once: grants may share one. */
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
 * Starts a gateway; resolves when it listens.
 *
 * @throws Refusal for an option that there is not, a policy, grants or headers that are wrong, an upstream that cannot be reached or
 *   started, a port that is taken
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
    guard: new Guard([host, ...allowedHosts]),
    handlers: async () => ({ mcp }),
  })
}
