/**
 * The names of the contracts. `documented` follows the published words, `observed` follows the running
 * service.
 */
export const CONTRACT_NAMES = ['documented', 'observed'] as const

export type ContractName = (typeof CONTRACT_NAMES)[number]

/** A point where the two contracts of a server differ. Each server has a table of such points. */
export interface ContractRow {
  /** The subject of the row, as the beginning of a sentence. `means` is the end of that sentence. */
  about: string
  /** The behaviour under this contract: `value` as a switch for the code, `means` as a text. */
  documented: { value: boolean; means: string }
  observed: { value: boolean; means: string }
  /** The source of each behaviour. */
  source: string
}
