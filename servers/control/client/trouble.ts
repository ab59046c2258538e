import type { Fault } from '../../../shared/faults/fault.js'
import type { FaultStatus } from '../../../shared/faults/table.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'
import type { OverlayStatus } from '../../../shared/overlays/overlays.js'
import { faultsAnswer, overlaysAnswer } from '../schemas/faults-and-overlays.js'
import { proven } from '../schemas/journal.js'
import type { Exchange } from './http.js'

/** What is to go wrong, as set over HTTP. See `FaultTable`. */
export class ControlledFaults {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<FaultStatus[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/faults' }, faultsAnswer)).faults
  }

  /** Replaces all faults, those of a `list` included. */
  async set(faults: readonly Fault[]): Promise<FaultStatus[]> {
    const body = { faults }
    return (await this.#exchange.read({ method: 'PUT', path: '/faults', body }, faultsAnswer)).faults
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/faults' }, faultsAnswer)
  }

  /** @throws ControlError `faults_not_hit`, with those that never came */
  async expectAllHit(): Promise<void> {
    await this.#exchange.read({ method: 'POST', path: '/faults/expect-all-hit' }, proven)
  }
}

/** What the lists of tools show, as set over HTTP. See `Catalogue`. */
export class ControlledCatalogue {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<OverlayStatus[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/catalogue' }, overlaysAnswer)).overlays
  }

  /** Replaces all overlays, those of a `list` included. */
  async set(overlays: readonly Overlay[]): Promise<OverlayStatus[]> {
    const body = { overlays }
    return (await this.#exchange.read({ method: 'PUT', path: '/catalogue', body }, overlaysAnswer)).overlays
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/catalogue' }, overlaysAnswer)
  }
}
