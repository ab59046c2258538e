/** One figure of ours beside its target, and beside the peer's where the peer has one. */
export interface Measurement {
  what: string
  unit: 'calls/s' | 'cycles/s' | 'decisions/s' | 'ms' | 'MB' | 'calls'
  ours: number
  peer?: number
  /** In words, for the table. */
  target: string
  met: boolean
}

/** One row of the benchmark, which may give several figures; `name` is what `npm run bench -- NAME` picks it by. */
export interface Row {
  name: string
  measure(): Promise<Measurement[]>
}
