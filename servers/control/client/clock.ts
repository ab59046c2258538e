import type { ClockChange } from '../../../shared/clock/change.js'
import { type ClockState, clockState } from '../schemas/clock.js'
import type { Exchange } from './exchange.js'

/** The instance's clock, over HTTP. See `Clock`. */
export class ControlledClock {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get(): Promise<ClockState> {
    return this.#exchange.read({ method: 'GET', path: '/clock' }, clockState)
  }

  /** Resolves when all that fell due has run. */
  set(change: ClockChange): Promise<ClockState> {
    return this.#exchange.read({ method: 'PUT', path: '/clock', body: change }, clockState)
  }

  /** @param ms how far; resolves when all that fell due has run */
  advance(ms: number): Promise<ClockState> {
    return this.#exchange.read({ method: 'POST', path: '/clock/advance', body: { ms } }, clockState)
  }
}
