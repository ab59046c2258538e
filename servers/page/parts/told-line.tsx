import { told } from '../live/deeds.js'

/** What was done last, or why it could not be. */
export function ToldLine() {
  return (
    <p class={`told${told.value?.failed ? ' told-failed' : ''}`} role="status">
      {told.value?.text}
    </p>
  )
}
