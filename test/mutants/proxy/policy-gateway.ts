import type { PolicyEngine } from '#built/servers/gateway/policy/index.js'
import type { Decision } from '#built/servers/gateway/policy/model.js'
import { isObject } from '#built/shared/util/objects.js'
import { Approvals } from './approvals.js'
import { type Caller, CORRECT, type Forward, type Hooks, type Message } from './hooks.js'

/** Ends the handling of a message with an HTTP status. On stdio it becomes a JSON-RPC error. */
export class HttpAnswer extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    readonly contentType = 'application/json',
  ) {
    super(`HTTP ${status}`)
  }
}

/**
 * Enforces a policy on JSON-RPC messages, on any transport.
 *
 * The gateway is correct without hooks. Each hook replaces one part of its behaviour.
 */
export class PolicyGateway {
  readonly approvals = new Approvals()
  readonly #engine: PolicyEngine
  readonly #hooks: Hooks

  constructor(engine: PolicyEngine, hooks: Partial<Hooks> = {}) {
    this.#hooks = { ...CORRECT, ...hooks }
    this.#engine = this.#hooks.engine(engine)
  }

  /** The value of the upstream's `Authorization` header for a caller. */
  credential(own: string | undefined, caller: Caller): string | undefined {
    return this.#hooks.credential(own, caller)
  }

  /**
   * Handles what a client sent: one message, or a batch.
   *
   * @param send sends one message to the upstream
   * @returns the answers, without those of notifications
   * @throws HttpAnswer, and whatever `send` throws
   */
  async handle(body: unknown, caller: Caller, send: Forward): Promise<Message[]> {
    const one = async (message: unknown) => {
      if (!isObject(message)) return errorResponse(null, -32600, 'a message is a JSON object')
      return this.#hooks.receive(message, caller, next => this.#receive(next, caller, send))
    }
    const answers = Array.isArray(body)
      ? await this.#hooks.batch(body, message => one(message))
      : [await one(body)]
    return answers.filter(answer => answer !== undefined)
  }

  /** Passes a message of the upstream that answers no request on to the client. */
  emit(message: Message, caller: Caller): void {
    this.#hooks.emit(message, passed => caller.emit(passed))
  }

  async #receive(message: Message, caller: Caller, send: Forward): Promise<Message | undefined> {
    const forward: Forward = sent => this.#hooks.forward(sent, send, caller)
    if (this.#hooks.judges(message, caller)) return this.#toolsCall(message, caller, forward)
    const answer = await forward(message)
    return answer === undefined ? undefined : this.#listed(answer, message)
  }

  async #toolsCall(request: Message, caller: Caller, forward: Forward): Promise<Message | undefined> {
    const { params } = request
    if (!isObject(params) || typeof params.name !== 'string') {
      if (!('id' in request)) return undefined
      return errorResponse(request.id, -32602, 'tools/call needs params.name, a text')
    }
    const decision = this.#decide(params.name, params.arguments, caller)
    if (decision.outcome !== 'allow') {
      const denial = 'id' in request ? denialOf(request.id, params.name, decision) : undefined
      return this.#hooks.deny({ request, caller, denial, forward })
    }
    let answer: Message | undefined
    try {
      return await this.#hooks.call(
        request,
        async sent => {
          answer = await forward(sent)
          return answer
        },
        caller,
      )
    } finally {
      decision.settle(this.#hooks.settlement(answer))
    }
  }

  #decide(tool: string, args: unknown, caller: Caller): Decision {
    const ask = (approved: boolean) =>
      this.#hooks.decide(
        { tool, args, grant: caller.grant, approved },
        call => this.#engine.decide(call),
        caller,
      )
    const decision = ask(false)
    if (decision.outcome !== 'approve') return decision
    return this.approvals.use({ grant: caller.grant, tool, args }) ? ask(true) : decision
  }

  #listed(answer: Message, { params }: Message): Message {
    if (!isObject(answer.result) || !Array.isArray(answer.result.tools)) return answer
    const tools = this.#hooks.list({
      tools: answer.result.tools.filter(isObject),
      cursor: isObject(params) ? params.cursor : undefined,
      hides: tool => this.#engine.hides(tool),
    })
    return { ...answer, result: { ...answer.result, tools } }
  }
}

export function errorResponse(id: unknown, code: number, message: string): Message {
  return { jsonrpc: '2.0', id: id ?? null, error: { code, message } }
}

function denialOf(id: unknown, tool: string, decision: Exclude<Decision, { outcome: 'allow' }>): Message {
  const why = decision.outcome === 'approve' ? `needs approval. ${decision.message}` : decision.message
  return {
    jsonrpc: '2.0',
    id,
    result: {
      content: [{ type: 'text', text: `[POLICY DENIED] ${tool}: ${why}` }],
      isError: true,
    },
  }
}
