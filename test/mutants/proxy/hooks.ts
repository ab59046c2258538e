import type { PolicyCall, PolicyEngine } from '#built/servers/gateway/policy/index.js'
import type { Decision, Settlement } from '#built/servers/gateway/policy/model.js'

/** A JSON-RPC message. */
export type Message = Record<string, unknown>

/** A client of the gateway, and what can be done for it while one of its messages is handled. */
export interface Caller {
  /** Label of the grant. */
  readonly grant: string
  /** Value of its `Authorization` header. */
  readonly authorization: string | undefined
  /** Identifies the session. Undefined for a message without one. */
  readonly session: string | undefined
  /** Sends the client a message that answers no request. */
  emit(message: Message): void
  /** Sets a header of the HTTP response. Has no effect on stdio. */
  setHeader(name: string, value: string): void
}

/** Sends a message to the upstream. Resolves to its answer, or to undefined for a notification. */
export type Forward = (message: Message) => Promise<Message | undefined>

/** A tools/call that the gateway did not send to the upstream. */
export interface DeniedCall {
  readonly request: Message
  readonly caller: Caller
  /** The answer of the correct gateway. Undefined for a notification. */
  readonly denial: Message | undefined
  readonly forward: Forward
}

/** A page of the upstream's tools/list. */
export interface ListPage {
  readonly tools: readonly Message[]
  /** Undefined for the first page. */
  readonly cursor: unknown
  hides(tool: string): boolean
}

/**
 * The points at which a gateway can be broken. Each hook of a correct gateway calls `next` and returns its result.
 */
export interface Hooks {
  /** Handles a message of a client. Resolves to the answer. */
  receive(
    message: Message,
    caller: Caller,
    next: (message: Message) => Promise<Message | undefined>,
  ): ReturnType<Forward>
  /** Handles the messages of a batch. */
  batch(messages: Message[], next: Forward): Promise<(Message | undefined)[]>
  /** Decides whether the policy judges a message. */
  judges(message: Message, caller: Caller): boolean
  /** Asks the policy. */
  decide(call: PolicyCall, next: (call: PolicyCall) => Decision, caller: Caller): Decision
  /** Answers a denied call. */
  deny(denied: DeniedCall): Promise<Message | undefined> | Message | undefined
  /** Sends an allowed call to the upstream and returns the answer that the client gets. */
  call(request: Message, next: Forward, caller: Caller): Promise<Message | undefined>
  /** Sends every message to the upstream, allowed calls included. */
  forward(message: Message, next: Forward, caller: Caller): Promise<Message | undefined>
  /** Decides whether an allowed call gives its quota back. `answer` is undefined if none came. */
  settlement(answer: Message | undefined): Settlement
  /** Returns the tools that a client sees. */
  list(page: ListPage): readonly Message[]
  /** Passes a notification or request of the upstream on to the client. */
  emit(message: Message, next: (message: Message) => void): void
  /** Value of the `Authorization` header that the upstream gets. */
  credential(own: string | undefined, caller: Caller): string | undefined
  /** Builds the engine that decides. */
  engine(engine: PolicyEngine): PolicyEngine
}

/** The hooks of the correct gateway. */
export const CORRECT: Hooks = {
  receive: (message, _caller, next) => next(message),
  batch: (messages, next) => Promise.all(messages.map(next)),
  judges: message => message.method === 'tools/call',
  decide: (call, next) => next(call),
  deny: ({ denial }) => denial,
  call: (request, next) => next(request),
  forward: (message, next) => next(message),
  settlement: answer => (answer?.error === undefined || answer.error === null ? 'kept' : 'refunded'),
  list: ({ tools, hides }) => tools.filter(({ name }) => typeof name === 'string' && !hides(name)),
  emit: (message, next) => next(message),
  credential: own => own,
  engine: engine => engine,
}
