import type { FaultTable } from '../../../shared/faults/table.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import type { Operation } from '../../../shared/http/operation.js'
import type { Catalogue } from '../../../shared/overlays/overlays.js'
import {
  faultsAnswer,
  faultsRequest,
  overlaysAnswer,
  overlaysRequest,
} from '../schemas/faults-and-overlays.js'
import { proven } from '../schemas/journal.js'

/** Returns the routes of faults. */
export function faultRoutes(table: FaultTable): Operation[] {
  const path = '/faults'
  const answer = faultsAnswer
  const listed = () => ({ faults: table.list() })
  return [
    checkedOperation({ method: 'GET', path, summary: 'The faults that are set', answer, run: listed }),
    checkedOperation({
      method: 'PUT',
      path,
      summary: 'Replace all faults and set their hits to 0. If one fault is invalid, nothing changes',
      body: faultsRequest,
      bodyCode: 'bad_fault',
      answer,
      run({ body }) {
        table.set(body.faults.map(({ hits, ...fault }) => fault))
        return listed()
      },
    }),
    checkedOperation({
      method: 'DELETE',
      path,
      summary: 'Remove all faults',
      answer,
      run() {
        table.clear()
        return listed()
      },
    }),
    checkedOperation({
      method: 'POST',
      path: '/faults/expect-all-hit',
      summary: 'Check that every fault was applied. 409 lists the faults that were not applied',
      answer: proven,
      refusals: [409],
      run() {
        table.expectAllHit()
        return { ok: true } as const
      },
    }),
  ]
}

/** Returns the routes of overlays. */
export function catalogueRoutes(catalogue: Catalogue): Operation[] {
  const path = '/catalogue'
  const answer = overlaysAnswer
  const listed = () => ({ overlays: catalogue.list() })
  return [
    checkedOperation({
      method: 'GET',
      path,
      summary: 'The overlays on lists of tools',
      answer,
      run: listed,
    }),
    checkedOperation({
      method: 'PUT',
      path,
      summary: 'Replace all overlays. If one overlay is invalid, nothing changes',
      body: overlaysRequest,
      bodyCode: 'bad_overlay',
      answer,
      refusals: [409],
      run({ body }) {
        catalogue.set(body.overlays.map(({ lists, inEffect, ...overlay }) => overlay))
        return listed()
      },
    }),
    checkedOperation({
      method: 'DELETE',
      path,
      summary: 'Remove all overlays',
      answer,
      run() {
        catalogue.clear()
        return listed()
      },
    }),
  ]
}
