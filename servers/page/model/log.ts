/** Maximum number of rows of a log. The journal and the gateways keep the same number of entries. */
export const MAX_ROWS = 10_000

/** One kind of log: how its rows are numbered, searched and filtered. */
export interface LogKind<Row> {
  /** Returns the number of a row. Later rows have higher numbers. */
  seqOf(row: Row): number
  /** Returns the text that is searched. */
  wordsOf(row: Row): string
  /** The checks that a filter can require. Each key is the label of its check on the page. */
  readonly checks: Readonly<Record<string, (row: Row) => boolean>>
}

export interface LogFilter {
  /** Text that a row must contain. Upper and lower case do not matter. */
  readonly text: string
  /** Labels of the checks that a row must pass. */
  readonly required: readonly string[]
}

export const NO_FILTER: LogFilter = { text: '', required: [] }

/** Returns the rows that match a filter, the newest first. @param rows the rows, the oldest first */
export function filtered<Row>(
  rows: readonly Row[],
  { wordsOf, checks }: LogKind<Row>,
  { text, required }: LogFilter,
): Row[] {
  const wanted = text.trim().toLowerCase()
  return rows
    .filter(row => required.every(label => checks[label]?.(row)))
    .filter(row => wanted === '' || wordsOf(row).toLowerCase().includes(wanted))
    .reverse()
}
