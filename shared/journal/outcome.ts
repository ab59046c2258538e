/** How a request may end; `fault` is trouble that was asked for. */
export const OUTCOMES = ['ok', 'tool_error', 'protocol_error', 'aborted', 'fault'] as const

/** How a request ended; `undefined` while it is still under way. */
export type Outcome = (typeof OUTCOMES)[number]

export const TRANSPORTS = ['stdio', 'http', 'memory'] as const

/** By which way a request came in. */
export type TransportKind = (typeof TRANSPORTS)[number]
