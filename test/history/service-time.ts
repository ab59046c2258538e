import type { Advanced } from './event.js'

/** Bounds the time of the service's clock at a moment of the machine's clock. An advance takes effect at some moment within its call. */
export class ServiceTime {
  readonly #advances: readonly Advanced[]

  constructor(advances: readonly Advanced[]) {
    this.#advances = advances
  }

  /** The earliest it can have shown, in milliseconds. */
  earliest(at: number): number {
    return at + sum(this.#advances.filter(({ ended }) => ended <= at))
  }

  /** The latest it can have shown. */
  latest(at: number): number {
    return at + sum(this.#advances.filter(({ begun }) => begun <= at))
  }
}

function sum(advances: readonly Advanced[]): number {
  return advances.reduce((total, { byMs }) => total + byMs, 0)
}
