import type { Fault } from '../../../shared/faults/fault.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'

/** On which calls a fault comes. */
export function whenInWords(when: Fault['when']): string {
  if ('nth' in when) return `on call ${when.nth}`
  if ('first' in when) return when.first === 1 ? 'on the first call' : `on the first ${when.first} calls`
  if ('every' in when) return when.every === 1 ? 'on every call' : `on one call in ${when.every}`
  return 'on every call'
}

/** What a fault or an overlay does: its kind, and what it was given. */
export function deedInWords(deed: Fault['do'] | Overlay['do']): string {
  return Object.entries(deed)
    .map(([kind, given]) =>
      given === true ? kind : `${kind} ${typeof given === 'string' ? given : JSON.stringify(given)}`,
    )
    .join(', ')
}
