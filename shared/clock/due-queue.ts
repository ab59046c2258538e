/** One wake-up. `order` counts the additions. `position` is the index in the heap, or -1 after removal. */
export interface QueuedWakeup {
  readonly instant: number
  readonly order: number
  readonly run: () => void | Promise<void>
  position: number
}

/**
 * A queue that orders wake-ups by their instants. Wake-ups with equal instants keep the order of addition.
 *
 * It is a binary heap in which each item knows its index, so that a cancelled wake-up is removed immediately.
 * Otherwise a busy server would keep finished calls in memory until their time-outs.
 */
export class DueQueue {
  readonly #heap: QueuedWakeup[] = []
  #added = 0

  get size(): number {
    return this.#heap.length
  }

  /** Returns the earliest item without removing it. */
  peek(): QueuedWakeup | undefined {
    return this.#heap[0]
  }

  /** Removes and returns the earliest item if it is due at `instant`. */
  take(instant: number): QueuedWakeup | undefined {
    const due = this.#heap[0]
    if (due === undefined || due.instant > instant) return undefined
    this.remove(due)
    return due
  }

  /** @param instant milliseconds since the epoch */
  add(instant: number, run: QueuedWakeup['run']): QueuedWakeup {
    const due: QueuedWakeup = { instant, order: this.#added++, run, position: this.#heap.length }
    this.#heap.push(due)
    this.#up(due)
    return due
  }

  /** Removes an item. Does nothing if the item has already been removed. */
  remove(due: QueuedWakeup): void {
    const at = due.position
    if (at < 0) return
    due.position = -1
    const last = this.#heap.pop()
    if (last === undefined || last === due) return
    this.#place(last, at)
    this.#up(last)
    this.#down(last)
  }

  #place(due: QueuedWakeup, at: number): void {
    this.#heap[at] = due
    due.position = at
  }

  #up(due: QueuedWakeup): void {
    let at = due.position
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = this.#heap[parentAt]
      if (parent === undefined || !before(due, parent)) break
      this.#place(parent, at)
      at = parentAt
    }
    this.#place(due, at)
  }

  #down(due: QueuedWakeup): void {
    let at = due.position
    for (;;) {
      const left = this.#heap[2 * at + 1]
      const right = this.#heap[2 * at + 2]
      const child = right !== undefined && left !== undefined && before(right, left) ? right : left
      if (child === undefined || !before(child, due)) break
      const childAt = child.position
      this.#place(child, at)
      at = childAt
    }
    this.#place(due, at)
  }
}

function before(a: QueuedWakeup, b: QueuedWakeup): boolean {
  return a.instant < b.instant || (a.instant === b.instant && a.order < b.order)
}
