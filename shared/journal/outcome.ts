/** The outcomes of a request. `fault` means that an injected fault caused the outcome. */
export const OUTCOMES = ['ok', 'tool_error', 'protocol_error', 'aborted', 'fault'] as const

/** The outcome of a request that has ended. */
export type Outcome = (typeof OUTCOMES)[number]

export const TRANSPORTS = ['stdio', 'http', 'memory'] as const

/** The transport of a request. */
export type TransportKind = (typeof TRANSPORTS)[number]
