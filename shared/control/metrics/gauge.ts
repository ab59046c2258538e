/** A figure that goes up and down, under its labels. */
export interface Gauge {
  /** Without the prefix, e.g. `rooms`. */
  name: string
  /** What it tells, in a line. */
  about: string
  labels: Readonly<Record<string, string>>
  value: number
}
