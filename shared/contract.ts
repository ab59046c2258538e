/** What a stand-in keeps to where the published words and the running service disagree: the words, or the service. */
export const CONTRACT_NAMES = ['documented', 'observed'] as const

export type ContractName = (typeof CONTRACT_NAMES)[number]

/** One such disagreement. A server's table of them is its contract. */
export interface ContractRow {
  /** The behaviour in question. */
  about: string
  documented: { value: boolean; means: string }
  observed: { value: boolean; means: string }
  /** Where either side is known from. */
  source: string
}
