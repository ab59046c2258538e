import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { filtered, type LogKind, NO_FILTER } from '../model/log.js'

/** The view of a log: its filter, the row that is open, and the row that has the focus. */
export class LogView<Row> {
  readonly filter = signal(NO_FILTER)

  /** The number of the open row, or -1. */
  readonly open = signal(-1)

  /** The number of the row that the Tab key leads to. -1 stands for the first row. */
  readonly active = signal(-1)

  /** The number of the row that the table must scroll to and focus, or -1. The table then sets it to -1. */
  readonly target = signal(-1)

  /** The rows that match the filter, the newest first. */
  readonly shown: ReadonlySignal<readonly Row[]>

  /** The number of each shown row. */
  readonly seqs: ReadonlySignal<readonly number[]>

  /** @param rows the rows, the oldest first */
  constructor(
    readonly rows: ReadonlySignal<readonly Row[]>,
    readonly kind: LogKind<Row>,
  ) {
    this.shown = computed(() => filtered(rows.value, kind, this.filter.value))
    this.seqs = computed(() => this.shown.value.map(kind.seqOf))
  }

  /** Opens a row, or closes it. */
  toggle(seq: number): void {
    this.active.value = seq
    this.open.value = seq === this.open.value ? -1 : seq
  }

  /** Scrolls to a row and focuses it. */
  goTo(seq: number): void {
    this.active.value = seq
    this.target.value = seq
  }

  /** Opens a row, scrolls to it and focuses it. Clears the filter if the filter hides the row. */
  reveal(seq: number): void {
    if (!this.seqs.value.includes(seq)) this.filter.value = NO_FILTER
    this.open.value = seq
    this.goTo(seq)
  }

  /** Closes the open row. Call it when the log is cleared, because new rows can have the same numbers. */
  reset(): void {
    this.open.value = -1
    this.active.value = -1
  }
}
