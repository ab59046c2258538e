/** A request that a receiver took, as it came in. */
export interface Delivery {
  /** UUID */
  readonly id: string
  readonly method: string
  readonly path: string
  /** Without the question mark; empty if there was none. */
  readonly query: string
  /** Names and values in turn, as they stood in the request. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}
