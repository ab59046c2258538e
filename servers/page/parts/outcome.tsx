import type { Outcome as OutcomeName } from '../../../shared/journal/outcome.js'
import { outcomeInWords } from '../model/words.js'

/** How a call ended: by its words, and by its colour. */
export function Outcome({ outcome }: { outcome: OutcomeName | null }) {
  return <span class={`outcome outcome-${outcome ?? 'open'}`}>{outcomeInWords(outcome)}</span>
}
