import { connection } from '../live/connection.js'

const WORDS = {
  connecting: 'connecting',
  live: 'live',
  lost: 'disconnected, trying again',
} as const

/** Whether what is seen is what is. */
export function ConnectionMark() {
  return (
    <span class={`connection connection-${connection.value}`} role="status">
      {WORDS[connection.value]}
    </span>
  )
}
