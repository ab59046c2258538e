/**
 * The names of the contracts. `documented` follows the published words, `observed` follows the running
 * service.
 */
export const CONTRACT_NAMES = ['documented', 'observed'] as const

export type ContractName = (typeof CONTRACT_NAMES)[number]

/** A point where the two contracts of a server differ. Each server has a table of such points. */
export interface ContractRow {
  /** The behaviour in question. */
  about: string
  documented: { value: boolean; means: string }
  observed: { value: boolean; means: string }
  /** Source of the two behaviours. */
  source: string
}
